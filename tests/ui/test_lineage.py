"From a prediction back to the people, the code and the images: by clicks, in a workspace that two people share."

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import command, opened, running_lab

from mlops_nb.evaluate.judging import decisions
from mlops_nb.ledger import approve, propose
from mlops_nb.pipeline import Step, run
from mlops_nb.registry import promote
from mlops_nb.serve import deploy, stop
from mlops_nb.workspace import open_workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "lab"))
import servers
import worlds


def proposed(ws, bundle: str, summary: str) -> str:
    verdict = decisions(ws, bundle)[0]
    return propose(ws, candidate=bundle, baseline=verdict.baseline, decision=verdict.to_dict(),
                   summary=summary, by="ann").id  # fmt: skip


def evaluation(ws, folder: Path, bundle: str) -> None:
    "A step under git, as it was executed, that made the report of a model."
    folder.mkdir()
    emitted = worlds.evaluated(ws, bundle, right=0.95)
    told = f"from mlops_nb.pipeline import emit\nprint('eight slices')\nemit(**{emitted!r})"
    (folder / "evaluate.ipynb").write_text(servers.page(told, parameters="model: str"))
    git = ["git", "-C", str(folder), "-c", "user.name=Ann", "-c", "user.email=ann@localhost"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "Judge slice by slice"]):
        subprocess.run([*git, *words], check=True)
    run(ws, [Step("evaluate", folder / "evaluate.ipynb", {"model": bundle})], by="ann")


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    "Data and a model of one name: version 1 is in staging, version 2 waits for somebody's word."
    home = tmp_path_factory.mktemp("team")
    ws = open_workspace(home / "workspace")
    worlds.dataset(ws, home / "signs")
    first, second = worlds.models(ws, home / "bundles")
    asked = proposed(ws, first, "the first of this town")
    approve(ws, asked, by="bob", comment="the slices hold")
    promote(ws, "signs", 1, alias="staging", proposal=asked, by="bob")
    proposed(ws, second, "better in the rain")
    evaluation(ws, home / "steps", second)
    deploy(ws, home / "bundles" / "2", name="staging", by="ann")
    yield ws
    stop(ws, "staging")


@pytest.fixture(scope="module")
def ann(ws, tmp_path_factory):
    with running_lab(
        tmp_path_factory.mktemp("ann"), ws.root, actor="ann", base="/user/ann/"
    ) as lab:
        yield lab


def node(graph, name: str):
    return graph.get_by_role("button", name=name, exact=True)


def lineage(page, of: str):
    "The tab of a thing, and what it says of the node that is chosen."
    command(page, "mlops-nb:open-lineage", {"of": of})
    graph = page.locator("[data-testid='mlops-lineage']:visible")
    graph.locator(".mlops-mod-root").wait_for()
    return graph, graph.get_by_role("region", name="The chosen thing")


def read_aloud(page) -> str:
    "What the dialog that is open says; it is closed."
    dialog = page.locator(".jp-Dialog")
    said = dialog.locator("pre").inner_text()
    dialog.get_by_role("button", name="Close").click()
    return said


@pytest.mark.timeout(300)
def test_from_a_model_to_people_code_and_pages(ws, ann, browser, pictures):
    with opened(browser, ann, pictures=pictures) as page:
        graph, chosen = lineage(page, "model:signs@2")
        offers = graph.locator("datalist option").evaluate_all("all => all.map(one => one.value)")
        assert {"model:signs@1", "signs@v1"} <= set(offers) and "signs@1" not in offers
        graph.get_by_role("button", name="Fit the whole graph").click()
        page.screenshot(path=pictures / "model.png")
        node(
            graph,
            "code " + graph.locator(".mlops-kind-code .mlops-Lineage-label").first.inner_text(),
        ).click()
        assert chosen.get_by_role("button", name=re.compile("^Lineage of")).count() == 0
        assert "brought in" not in chosen.inner_text()
        chosen.get_by_role("button", name="Open").click()
        patch = read_aloud(page)
        assert "Judge slice by slice" in patch and "evaluate.ipynb" in patch and "+++" in patch
        node(graph, "file predictions of evaluate").first.click()
        chosen.get_by_role("button", name="Open").click()
        assert read_aloud(page).startswith("320 rows, the first 20:")
        node(graph, "notebook evaluate as executed").click()
        chosen.get_by_role("button", name="Open").click()
        executed = page.locator("iframe[title='evaluate as executed']").content_frame
        executed.get_by_text("eight slices", exact=True).wait_for()
        page.screenshot(path=pictures / "page.png")

        graph, chosen = lineage(page, "model:signs@1")
        assert node(graph, "model signs@1").get_attribute("aria-pressed") == "true"
        assert "promote by bob" in chosen.inner_text() and "register by ann" in chosen.inner_text()
        graph.locator(".mlops-kind-prop").first.click()
        assert "approve by bob" in chosen.inner_text() and "the slices hold" in chosen.inner_text()
        page.screenshot(path=pictures / "people.png")
        node(graph, "model signs@1").click()
        chosen.get_by_role("button", name="Open").click()
        page.get_by_test_id("mlops-version-signs@1").get_by_text("version 1").wait_for()
        page.screenshot(path=pictures / "card.png")


@pytest.mark.timeout(300)
def test_from_an_answer_to_its_prediction(ws, ann, browser, pictures):
    known = sorted((ws.root.parent / "signs").rglob("*.png"))
    some = [one for one in known if one.name != "broken.png"][:3]
    with opened(browser, ann, pictures=pictures) as page:
        command(page, "mlops-nb:send-images", {"name": "staging"})
        sending = page.get_by_test_id("mlops-send")
        sending.locator("input[multiple]").set_input_files(some)
        sending.get_by_role("button", name="Send 3").click()
        sending.get_by_text("3 answered").wait_for()
        page.screenshot(path=pictures / "sent.png")
        sending.get_by_role("button", name=f"Lineage of {some[1].name}").click()
        graph = page.locator("[data-testid='mlops-lineage']:visible")
        graph.locator(".mlops-mod-root.mlops-kind-img").wait_for()
        chosen = graph.get_by_role("region", name="The chosen thing")
        chosen.get_by_role("button", name="Open").click()
        page.locator(".jp-Dialog img.mlops-Picture").wait_for()
        page.screenshot(path=pictures / "prediction.png")
        assert "staging: stop, score" in read_aloud(page)

        # two tabs, one of which shows something else by now, come back as they were
        lineage(page, "signs@v1")
        field = graph.get_by_label("Lineage of", exact=True)
        field.fill("model:signs@1")
        graph.get_by_role("button", name="Show").click()
        page.locator(".lm-TabBar-tab.lm-mod-current", has_text="model:signs@1").wait_for()
        tabs = page.locator("#jp-main-dock-panel .lm-TabBar-tab", has_text="Lineage: ")
        before = sorted(tabs.all_inner_texts())
        page.wait_for_timeout(3000)  # the layout is saved a moment after it changed
        page.reload()
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate("window.jupyterapp.restored")
        tabs.nth(len(before) - 1).wait_for()
        assert sorted(tabs.all_inner_texts()) == before and len(before) > 1


@pytest.mark.timeout(300)
def test_who_decides_reads_the_evidence(ws, ann, browser, pictures):
    with opened(browser, ann, pictures=pictures) as page:
        command(page, "mlops-nb:open-panel", {"section": "models"})
        newest = page.get_by_test_id("mlops-version-signs@2")
        newest.get_by_role("button", name="Report").wait_for()
        page.screenshot(path=pictures / "waits.png")
        assert page.get_by_role("button", name=re.compile("Roll back")).count() == 0
        newest.get_by_role("button", name="Withdraw your proposal").click()
        page.locator(".jp-Dialog-header", has_text="Withdraw your proposal").wait_for()
        page.locator(".jp-Dialog").get_by_role("button", name="Cancel").click()
        newest.get_by_role("button", name="Report").click()
        executed = page.locator("iframe[title='evaluate as executed']").content_frame
        executed.get_by_text("eight slices", exact=True).wait_for()

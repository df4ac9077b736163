"The eight widgets in a notebook of a real JupyterLab: clicked, read, left and come back to."

import re
import sys
from pathlib import Path

import pytest
from conftest import accessible, opened, running_lab
from notebooks import write

from mlops_nb.evaluate import decisions
from mlops_nb.images.pixels import decode, encode
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.jobs import jobs
from mlops_nb.ledger import acts, propose
from mlops_nb.serve import classify, deploy, deployments, stop
from mlops_nb.workspace import open_workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "lab"))
import worlds

FIRST = "from mlops_nb import open_workspace, widgets\nws = open_workspace()"
SLOW = """import time
if side < 1:
    raise ValueError(f"side is {side}. Pass 1 or more.")
for _ in range(40):
    time.sleep(0.1)"""
WIDGETS = {
    "validate": "widgets.validate_panel(ws, 'signs')",
    "train": "widgets.train_panel(ws, 'slow.ipynb')",
    "register": "widgets.register_panel(ws, name='crossing')",
    "review": "widgets.review_panel(ws)",
    "deploy": "widgets.deploy_panel(ws, 'signs@2')",
    "lineage": "widgets.lineage_view(ws, 'signs@v1')",
    "drift": "widgets.drift_view(ws, 'night', every_s=0.2)",
    "browse": "widgets.browse(ws, 'signs@v1')",
}


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    "Data, two judged versions of a model, and a proposal of Ann's."
    home = tmp_path_factory.mktemp("team")
    ws = open_workspace(home / "workspace")
    worlds.dataset(ws, home / "signs")
    better = worlds.models(ws, home / "bundles")[1]
    verdict = decisions(ws, better)[0]
    propose(ws, candidate=better, baseline=verdict.baseline, decision=verdict.to_dict(),
            summary="better at night", by="ann")  # fmt: skip
    yield ws
    for one in deployments(ws):
        stop(ws, one.name)


@pytest.fixture(scope="module")
def lab(team, tmp_path_factory):
    home = tmp_path_factory.mktemp("ben")
    with running_lab(home, team.root, actor="ben", base="/user/ann/") as started:
        write(started.folder / "slow.ipynb", "side: int = 2", SLOW)
        yield started


def notebook(lab, name: str, *shown: str) -> str:
    "A notebook with a cell for each of these widgets and one that is only executed; its path in the lab."
    write(lab.folder / name, FIRST, *(WIDGETS[one] for one in shown), "6 * 7")
    return f"lab/workspaces/{name.partition('.')[0]}/tree/{name}"  # nothing else is open in it


def executed(page, *shown: str) -> dict:
    "The cells of these widgets, after every cell has run."
    page.locator(".jp-Notebook:visible").wait_for()
    page.wait_for_function(
        "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    return cells(page, *shown)


def cells(page, *shown: str) -> dict:
    found = page.locator(".jp-Notebook:visible .jp-CodeCell")
    found.nth(len(shown) + 1).get_by_text("42", exact=True).wait_for()
    return {one: found.nth(n) for n, one in enumerate(shown, 1)}


def press(cell, name: str) -> None:
    cell.get_by_role("button", name=name).click()  # its icon is a letter of its name


def refused(cell, name: str, remedy: str) -> None:
    "What was filled in does not work, and the panel says what does."
    press(cell, name)
    cell.get_by_role("alert").filter(has_text=remedy).wait_for()


def fill(cell, **values: str) -> None:
    for name, value in values.items():
        cell.get_by_label(name, exact=True).fill(value)


def told(cell, words: str) -> None:
    cell.get_by_role("status").filter(has_text=words).first.wait_for()


PANELS = ("validate", "train", "register", "review", "deploy")
TOLD = {
    "validate": "48 samples of signs checked: 0 errors",
    "train": "slow ran.",
    "register": "crossing has version 1",
    "deploy": "staging serves bundle:",
}


@pytest.mark.timeout(600)
def test_panels_do_their_work_and_tell_it_again(team, lab, browser, pictures):
    better = acts(team, verb="register")[-1].inputs[0]
    with opened(
        browser, lab, path=notebook(lab, "panels.ipynb", *PANELS), pictures=pictures
    ) as page:
        cell = executed(page, *PANELS)

        fill(cell["validate"], ref="sings")
        refused(cell["validate"], "Validate", "Did you mean 'signs'?")
        fill(cell["validate"], ref="signs")
        press(cell["validate"], "Validate")
        cell["validate"].get_by_role("button", name="Stop").wait_for()
        told(cell["validate"], TOLD["validate"])

        fill(cell["train"], side="0")
        refused(cell["train"], "Run as step", "side is 0. Pass 1 or more.")
        fill(cell["train"], side="2")
        press(cell["train"], "Run as step")
        cell["train"].get_by_text("slow: running, cell").first.wait_for()
        last = page.locator(".jp-Notebook:visible .jp-CodeCell").nth(len(PANELS) + 1)
        last.locator(".cm-content").fill("print(6 * 7 * 10)")
        last.locator(".cm-content").press("Control+Enter")
        last.get_by_text("420", exact=True).wait_for()
        cell["train"].get_by_text(
            "slow: running, cell"
        ).first.wait_for()  # the kernel answered meanwhile
        page.screenshot(path=pictures / "running.png")
        told(cell["train"], TOLD["train"])
        last.locator(".cm-content").fill("6 * 7")
        last.locator(".cm-content").press("Control+Enter")

        fill(cell["register"], bundle="bundle:" + "0" * 64)
        refused(cell["register"], "Register", "is not in the workspace")
        fill(cell["register"], bundle=better)
        press(cell["register"], "Register")
        told(cell["register"], TOLD["register"])

        refused(cell["review"], "Decide", "Choose both")
        cell["review"].get_by_label("verdict").select_option("reject")
        refused(cell["review"], "Decide", "Say why in `comment`")
        cell["review"].get_by_label("verdict").select_option("approve")
        press(cell["review"], "Decide")
        told(cell["review"], "ben approved it.")

        fill(cell["deploy"], ref="signs@9")
        refused(cell["deploy"], "Deploy", "signs")
        fill(cell["deploy"], ref="signs@2")
        press(cell["deploy"], "Deploy")
        told(cell["deploy"], TOLD["deploy"])
        assert [one.name for one in deployments(team)] == ["staging"]
        assert {act.by for verb in ("approve", "deploy") for act in acts(team, verb=verb)} == {
            "ben"
        }
        page.screenshot(path=pictures / "done.png")
        assert not page.get_by_text("validate of sings failed").count()  # its cell says so

        # another page on the same kernel is told everything
        page.evaluate("jupyterapp.commands.execute('docmanager:save')")
        page.wait_for_function("!jupyterapp.shell.currentWidget.context.model.dirty")
        page.reload()
        cell = cells(page, *PANELS)
        for name, words in TOLD.items():
            told(cell[name], words)
        told(cell["review"], "ben approved it.")

        # and without a kernel it says what to do; what was done is on record
        begun = len(jobs(team))
        page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
        page.reload()
        cell = cells(page, *PANELS)
        cell["validate"].get_by_text("model not found").wait_for()
        after = (
            cell["validate"]
            .locator(".jp-OutputArea-output")
            .evaluate("node => getComputedStyle(node, '::after').content")
        )
        assert "Run the cell again" in after
        page.screenshot(path=pictures / "no-kernel.png")
        cell = executed(page, *PANELS)
        for name in ("validate", "train", "deploy"):
            told(cell[name], TOLD[name])
        assert len(jobs(team)) == begun


def test_pictures_answer_and_move(team, lab, browser, pictures):
    server = deploy(team, acts(team, verb="register")[-1].inputs[0], name="night", by="ann")
    shown = ("lineage", "drift")
    with opened(
        browser, lab, path=notebook(lab, "pictures.ipynb", *shown), pictures=pictures
    ) as page:
        cell = executed(page, *shown)
        node = cell["lineage"].get_by_role("button", name=re.compile("^blob "))
        node.first.click()
        press(cell["lineage"], "Show its lineage")
        cell["lineage"].locator(".root[aria-label^=blob]").wait_for()
        cell["lineage"].locator(".root").press("ArrowLeft")
        page.keyboard.press("Enter")
        cell["lineage"].get_by_text("ingest by ann").first.wait_for()
        page.screenshot(path=pictures / "lineage.png")

        cell["drift"].get_by_text("night has not answered anything yet. Send it images.").wait_for()
        write_crops(team.root.parent / "later", drives(3, 12))
        for path in sorted((team.root.parent / "later").rglob("*.png")):
            classify(server, encode(decode(path.read_bytes())), clip=path.stem.rpartition("-")[0])
        cell["drift"].get_by_role("img", name=re.compile("^Odds against chance")).wait_for()
        for line in ("odds", "threshold"):
            drawn = cell["drift"].locator(f"polyline.{line}").bounding_box()
            assert drawn["width"] > 300
        press(cell["drift"], "Check now")
        while not (paged := acts(team, verb="page")):
            page.wait_for_timeout(100)
        page.screenshot(path=pictures / "drift.png")
        cell["drift"].get_by_label("comment").fill("It is dark.")
        press(cell["drift"], "Acknowledge")
        cell["drift"].get_by_text("Taken on by ben: It is dark.", exact=True).wait_for()
        assert acts(team, verb="acknowledge")[0].inputs == paged[0].outputs


def test_fiftyone_opens_in_the_cell_behind_the_server(lab, browser, pictures):
    with opened(
        browser, lab, path=notebook(lab, "browse.ipynb", "browse"), pictures=pictures
    ) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        cell = executed(page, "browse")["browse"]
        fill(cell, ref="sings")
        refused(cell, "Browse", "Did you mean 'signs'?")
        fill(cell, ref="signs@v1")
        press(cell, "Browse")
        cell.get_by_role("button", name="Stop").wait_for()
        app = cell.locator("iframe[title='signs@v1 in FiftyOne']").content_frame
        app.locator("[data-cy='looker'] canvas[canvas-loaded=true]").first.wait_for(timeout=120_000)
        page.screenshot(path=pictures / "browse.png")
        told(cell, "signs@v1 is open.")
        assert all(url.startswith((lab.url, "data:", "blob:")) for url in asked)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(lab, browser, pictures, dark):
    shown = tuple(WIDGETS)
    name = "dark.ipynb" if dark else "light.ipynb"
    with opened(browser, lab, path=notebook(lab, name, *shown), dark=dark) as page:
        for one, cell in executed(page, *shown).items():
            cell.scroll_into_view_if_needed()
            if one in ("validate", "review"):  # with an error too
                press(cell, "Validate" if one == "validate" else "Decide")
            cell.locator(".jp-OutputArea-output").screenshot(path=pictures / f"{one}.png")
        page.locator("[role=alert]").filter(has_text="Choose both").first.wait_for()
        assert not accessible(page, ".jp-Notebook .jp-OutputArea")

"How it looks to everybody: no serious fault for axe in light and dark, a next step where there is nothing, the rest where a part is broken."

import json
import re
import shutil

import pytest
from conftest import ROOT, accessible, answer, button, command, opened, panel, running_lab
from town import notebook

from mlops_nb.workspace import open_workspace

SECTIONS = ("data", "runs", "models", "staging")
FORMS = ("register", "deploy", "judge", "propose", "approve", "reject", "promote", "rollback", "acknowledge", "tag-dataset",
         "fork-dataset", "release-sample", "browse", "new-from-template", "send-images", "stop-deployment")  # fmt: skip
themes = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@pytest.fixture(scope="module", autouse=True)
def step(bob):
    notebook(bob.folder / "step.ipynb", cells=2, seconds=0)


@themes
def test_sections_strip_and_tabs(bob, browser, pictures, dark):
    with opened(browser, bob, dark=dark, path="lab/workspaces/parts", pictures=pictures) as page:
        command(page, "docmanager:open", {"path": "step.ipynb"})
        button(page.locator(".jp-NotebookPanel-toolbar:visible"), "Run as step").click()
        answer(page, "Run")
        page.get_by_test_id("mlops-strip").get_by_text("done", exact=True).wait_for()
        assert not accessible(page, ".mlops-Strip")
        page.screenshot(path=pictures / "strip.png")
        for name in SECTIONS:
            section = panel(page, name)
            section.locator("article").first.wait_for()
            section.evaluate(
                "it => it.querySelectorAll('details:not([open]) > summary').forEach(one => one.click())"
            )
            assert not accessible(page, f"[data-testid='mlops-{name}']"), name
            page.screenshot(path=pictures / f"{name}.png")
        command(page, "mlops-nb:open-lineage", {"of": "signs@staging"})
        graph = page.get_by_test_id("mlops-lineage")
        graph.get_by_role("button", name=re.compile("^model ")).first.wait_for()
        assert not accessible(page, "[data-testid='mlops-lineage']")
        page.screenshot(path=pictures / "lineage.png")
        command(page, "mlops-nb:browse", {"ref": "boxes@v1"})
        page.get_by_test_id("mlops-browse").wait_for()
        assert not accessible(page, "[data-testid='mlops-browse']")  # while it waits
        page.get_by_test_id("mlops-browse").locator("iframe").wait_for(timeout=120_000)
        assert not accessible(page, "[data-testid='mlops-browse'] > .jp-IFrame", frames=False)
        page.screenshot(path=pictures / "browse.png")


@themes
def test_forms(bob, browser, pictures, dark):
    with opened(browser, bob, dark=dark, path="lab/workspaces/forms", pictures=pictures) as page:
        command(page, "docmanager:open", {"path": "step.ipynb"})
        toolbar = page.locator(".jp-NotebookPanel-toolbar:visible")

        def look(name: str) -> None:
            dialog = page.locator(".jp-Dialog")
            dialog.locator(":focus").wait_for()
            dialog.evaluate(
                "it => it.querySelectorAll('details:not([open]) > summary').forEach(one => one.click())"
            )
            page.screenshot(path=pictures / f"{name}.png")
            assert not accessible(page, ".jp-Dialog-content"), name
            page.keyboard.press("Escape")
            dialog.wait_for(state="detached")

        for verb in ("Train", "Run as step"):
            button(toolbar, verb).click()
            look(verb)
        for name in FORMS:
            command(page, f"mlops-nb:{name}")
            look(name)
        # what a person forgot is said beside the question, and to screen readers
        command(page, "mlops-nb:reject")
        page.locator(".mlops-Form :focus").wait_for()
        button(page.locator(".jp-Dialog"), "Reject").click()
        page.get_by_test_id("mlops-form").get_by_role("alert").wait_for()
        look("forgotten")


def test_on_a_small_window_no_section_is_squeezed(bob, browser, pictures):
    with opened(browser, bob, path="lab/workspaces/small", pictures=pictures) as page:
        page.set_viewport_size({"width": 960, "height": 600})  # as a zoom of 150 % leaves it
        for name in SECTIONS:
            section = panel(page, name)
            section.locator("article, .mlops-Empty").first.wait_for()
            panel(page, name)  # now that its content is there
            every = page.locator(".mlops-Section")
            assert min(every.evaluate_all("all => all.map(it => it.offsetHeight)")) >= 120, name
            asked = section.bounding_box()
            assert asked["y"] >= 0 and asked["y"] + asked["height"] <= 600, name
            page.screenshot(path=pictures / f"{name}.png")


def test_of_two_choices_of_images_the_last_one_counts(bob, browser, tmp_path, pictures):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image; it is not sent")
    with opened(browser, bob, path="lab/workspaces/small", pictures=pictures) as page:
        command(page, "mlops-nb:send-images", {"name": "staging"})
        sending = page.get_by_test_id("mlops-send")
        images = sending.get_by_label("Images (PNG or JPEG)")
        folder = sending.get_by_label("or a folder of them")
        images.set_input_files(tmp_path / "a.png")
        folder.set_input_files(tmp_path)
        button(page.locator(".jp-Dialog"), "Send 2").wait_for()
        assert images.evaluate("it => it.files.length") == 0
        images.set_input_files(tmp_path / "a.png")
        button(page.locator(".jp-Dialog"), "Send 1").wait_for()
        assert folder.evaluate("it => it.files.length") == 0


def test_a_record_that_cannot_be_read_leaves_the_rest(ws, bob, browser, pictures):
    damaged = ws.path("runs") / ("d" * 32) / "run.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text('{"id": 7}')
    with opened(browser, bob, path="lab/workspaces/odd", pictures=pictures) as page:

        def newer(route) -> None:
            "As a server answers that knows fields this page does not."
            answer = route.fetch()
            (signs,) = answer.json()
            odd = signs | {"name": "odd", "versions": [{"version": "?", "decision": 3}, None, 4]}
            route.fulfill(response=answer, json=[{"called": "otherwise"}, odd, None, signs])

        page.route(re.compile(r"/mlops-nb/models(\?|$)"), newer)
        page.reload()
        page.wait_for_function("window.jupyterapp !== undefined")
        page.evaluate("window.jupyterapp.restored")
        models = panel(page, "models")
        models.get_by_test_id("mlops-model-signs").get_by_text("Decision: pass").wait_for()
        models.get_by_role("article", name="Model odd").wait_for()
        models.get_by_role("alert").get_by_text("2 of 4 models cannot be read").wait_for()
        page.screenshot(path=pictures / "odd.png")
        assert panel(page, "data").get_by_role("article").count() == 2


def test_a_page_of_another_build_than_its_server_says_so(tmp_path, browser, pictures, monkeypatch):
    old = tmp_path / "share/labextensions/mlops-nb"
    built = ROOT / "mlops_nb/labextension"
    shutil.copytree(built, old)
    known = json.loads((built / "package.json").read_text("utf-8"))["mlops_nb"]["sources"]
    for path in old.rglob("*.js"):
        path.write_text(path.read_text("utf-8").replace(known, "0" * 16), "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    with (
        running_lab(tmp_path / "home", tmp_path / "workspace", actor="ann") as lab,
        opened(browser, lab, pictures=pictures) as page,
    ):
        page.get_by_test_id("mlops-status").get_by_text("MLOps: reload the page").click()
        told = page.locator(".mlops-Panel .mlops-Heading")
        told.get_by_text(f"built from {'0' * 16}, its server from {known}").wait_for()
        told.get_by_text("install mlops_nb again").wait_for()
        page.screenshot(path=pictures / "mismatch.png")


@themes
def test_where_there_is_nothing_yet_it_says_what_to_do(tmp_path, browser, pictures, dark):
    with running_lab(tmp_path, tmp_path / "none", actor="ann") as lab:
        for kind in ("none", "fresh"):
            if kind == "fresh":
                open_workspace(tmp_path / "none")
            with opened(browser, lab, dark=dark, pictures=pictures) as page:
                for name, step in zip(
                    SECTIONS,
                    ("a folder that the file browser shows", "Run as step", "Register", "Deploy"),
                ):
                    section = panel(page, name)
                    section.locator(".mlops-Empty", has_text=step).wait_for()
                    assert not accessible(page, f"[data-testid='mlops-{name}']"), name
                page.screenshot(path=pictures / f"{kind}.png")

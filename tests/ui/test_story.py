"The whole story by clicks: from a template to a watched model, by two people in two JupyterLabs."

import re

import pytest
from conftest import accessible, answer, button, opened, panel, running_lab

from mlops_nb import data
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.ledger import acts
from mlops_nb.serve import stop
from mlops_nb.workspace import open_workspace


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    "A workspace with a data set nobody has checked yet, and what the cars see later."
    home = tmp_path_factory.mktemp("team")
    write_crops(home / "signs", drives(11, 80))
    write_crops(home / "snow", drives(12, 40, weather="snow"))
    ws = open_workspace(home / "workspace")
    data.ingest(ws, home / "signs", "signs", by="dora")
    data.split(ws, "signs", fractions={"train": 0.4, "val": 0.1, "test": 0.5}, by="dora")
    yield ws
    stop(ws, "staging")


@pytest.fixture(scope="module")
def ann(team, tmp_path_factory):
    with running_lab(
        tmp_path_factory.mktemp("ann"), team.root, actor="ann", base="/user/ann/"
    ) as lab:
        yield lab


@pytest.fixture(scope="module")
def bob(team, tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("bob"), team.root, actor="bob") as lab:
        yield lab


@pytest.mark.timeout(900)
def test_the_whole_story(team, ann, bob, browser, pictures):
    snap = iter(range(1, 100))

    def picture(page, name: str) -> None:
        page.screenshot(path=pictures / f"{next(snap):02d}-{name}.png")

    with opened(browser, ann, pictures=pictures) as page:
        # the data are checked, and get a name that stays
        section = panel(page, "data")
        button(section, "Validate signs").click()
        section.get_by_text(re.compile(r"\d+ errors?, \d+ warnings?")).wait_for()
        button(section, "Tag signs").click()
        answer(page, "Tag", tag="v1")
        section.get_by_text("v1", exact=True).first.wait_for()
        picture(page, "data")

        # a template becomes a notebook, and its parameters a form
        page.evaluate("window.jupyterapp.commands.execute('launcher:create')")
        page.locator(".jp-LauncherCard:visible", has_text="Train a classifier").first.click()
        answer(page, "Create", file="signs.ipynb")
        toolbar = page.locator(".jp-NotebookPanel-toolbar:visible")
        button(toolbar, "Train").click()
        picture(page, "form")
        answer(page, "Train", data="signs@v1", epochs="12", width="16")
        strip = page.get_by_test_id("mlops-strip")
        strip.wait_for()
        picture(page, "training")
        button(strip, "Register").wait_for(timeout=180_000)
        picture(page, "trained")
        button(strip, "Executed notebook").click()
        executed = page.locator("iframe[title='signs as executed']").content_frame
        executed.get_by_role("heading", name="Train a classifier").wait_for()
        picture(page, "executed")
        page.locator(".lm-TabBar-tab", has_text="signs.ipynb").click()
        button(strip, "Register").click()
        answer(page, "Register", name="signs")

        # judged on what nobody trained on, and proposed
        section = panel(page, "models")
        model = section.get_by_test_id("mlops-model-signs")
        model.wait_for(timeout=120_000)
        button(model, "Judge signs@1").click()
        answer(page, "Judge", data="signs@v1", min_accuracy="0.1")
        model.get_by_text("Decision: pass").wait_for(timeout=180_000)
        button(model, "Propose signs@1").click()
        answer(page, "Propose", summary="the first model of this town")
        model.get_by_text("You proposed it").wait_for()
        assert button(model, "Approve the proposal of ann").count() == 0
        picture(page, "proposed")

    with opened(browser, bob, pictures=pictures) as page:
        model = panel(page, "models").get_by_test_id("mlops-model-signs")
        button(model, "Approve the proposal of ann").click()
        answer(page, "Approve", comment="the slices hold")
        button(model, "Promote signs@1").click()
        answer(page, "Promote")
        model.get_by_text("staging", exact=True).first.wait_for()
        picture(page, "approved")
        button(model, "Deploy signs@1").click()
        answer(page, "Deploy", ref="signs@staging")
        server = panel(page, "staging").get_by_test_id("mlops-deployment-staging")
        server.get_by_text("ready").wait_for(timeout=120_000)
        picture(page, "deployed")
    (approval,) = acts(team, verb="approve")
    assert (approval.by, acts(team, verb="propose")[-1].by) == ("bob", "ann")

    with opened(browser, ann, pictures=pictures) as page:
        # a few images by hand; then what the cars saw on the first day of snow
        section = panel(page, "staging")
        server = section.get_by_test_id("mlops-deployment-staging")
        button(server, "Send images to staging").click()
        some = sorted((team.root.parent / "signs").rglob("*.png"))[:3]
        sending = page.get_by_test_id("mlops-send")
        sending.get_by_label("Images (PNG or JPEG)").set_input_files(some)
        button(sending, "Send 3").click()
        sending.get_by_text("3 answered").wait_for()
        picture(page, "sent")
        button(sending, f"Lineage of {some[0].name}").click()
        graph = page.locator("[data-testid='mlops-lineage']:visible")
        graph.locator(".mlops-mod-root.mlops-kind-img").wait_for()
        picture(page, "prediction")
        (team.root.parent / "snow" / "notes.txt").write_text("seen north of the tunnel")
        button(server, "Send images to staging").click()
        sending.get_by_label("or a folder of them").set_input_files(team.root.parent / "snow")
        sending.get_by_text(re.compile("1 file left out.*notes.txt")).wait_for()
        button(sending, "Send 320").click()
        sending.get_by_text("320 answered").wait_for()
        page.locator(".jp-Dialog").get_by_role("button", name="Close").click()
        button(server, "Check staging now").click()
        page.get_by_test_id("mlops-shift").wait_for()
        server.get_by_text("page", exact=True).first.wait_for()
        server.get_by_text("frames of signs@1:").first.wait_for()
        picture(page, "paged")
        page.get_by_test_id("mlops-status").get_by_text("alert").wait_for()
        for _ in range(server.get_by_role("button", name="Acknowledge").count()):
            server.get_by_role("button", name="Acknowledge").first.click()
            answer(page, "Acknowledge", comment="it snows; we learn it tonight")
        server.get_by_role("button", name="Acknowledge").first.wait_for(state="detached")
        assert {act.by for act in acts(team, verb="acknowledge")} == {"ann"}

        # where the served model comes from, and the images it learnt from
        button(server, "Lineage of staging").click()
        graph = page.locator("[data-testid='mlops-lineage']:visible")
        graph.get_by_role("button", name=re.compile("^data set version")).first.wait_for()
        picture(page, "lineage")
        button(panel(page, "data"), "Browse signs").click()
        app = page.get_by_test_id("mlops-browse").locator("iframe").content_frame
        app.locator("[data-cy='looker'] canvas[canvas-loaded=true]").first.wait_for(timeout=120_000)
        picture(page, "browse")
        for name in ("data", "runs", "models", "staging"):
            panel(page, name)
            assert not accessible(page, f"[data-testid='mlops-{name}']")
        assert not accessible(page, "[data-testid='mlops-lineage']")

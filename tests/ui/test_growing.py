"A data set from a folder to a merged branch, without leaving the page."

import pytest
from conftest import accessible, answer, button, opened, panel, running_lab

from mlops_nb import data
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.ledger import acts
from mlops_nb.workspace import open_workspace


@pytest.fixture(scope="module")
def ann(tmp_path_factory):
    home = tmp_path_factory.mktemp("ann")
    with running_lab(home, home / "workspace", actor="ann", base="/user/ann/") as lab:
        write_crops(lab.folder / "town", drives(21, 24))
        write_crops(lab.folder / "snow", drives(22, 4, weather="snow"))
        yield lab


@pytest.mark.timeout(300)
def test_a_folder_is_ingested_split_forked_and_merged_by_clicks(ann, browser, pictures):
    with opened(browser, ann, pictures=pictures) as page:
        section = panel(page, "data")
        button(section, "Ingest a folder …").wait_for()
        page.screenshot(path=pictures / "empty.png")
        page.evaluate("window.jupyterapp.commands.execute('filebrowser:activate')")
        folder = page.locator(".jp-DirListing-item", has_text="town")
        folder.click(button="right")
        page.locator(".lm-Menu-item", has_text="Ingest a folder").click()
        form = page.get_by_test_id("mlops-form")
        form.wait_for()
        assert form.locator("[name=folder]").input_value() == "town"
        assert not accessible(page, ".jp-Dialog")
        page.screenshot(path=pictures / "ingest.png")
        answer(page, "Ingest", name="signs")
        section = panel(page, "data")
        card = section.get_by_role("article", name="Data set signs")
        card.wait_for()
        ws = open_workspace(ann.folder.parent / "workspace")
        (read,) = acts(ws, verb="ingest")
        assert read.by == "ann"

        button(card, "Split signs").click()
        form.locator("summary", has_text="More").click()
        for shares in (("0.4", "0.1", "0.6"), ("0.5", "0", "0.5")):
            for side, share in zip(("train", "val", "test"), shares, strict=True):
                form.locator(f"[name={side}]").fill(share)
            page.locator(".jp-Dialog").get_by_role("button", name="Split", exact=True).click()
            if shares[0] == "0.4":
                form.get_by_role("alert").get_by_text("The shares add up to 1.1.").wait_for()
        form.wait_for(state="detached")
        page.get_by_text("Split signs: train").first.wait_for()
        assert [act.by for act in acts(ws, verb="split")] == ["ann"]
        page.screenshot(path=pictures / "split.png")

        button(card, "Fork signs").click()
        answer(page, "Fork", fork="ann/snow")
        data.ingest(ws, ann.folder / "snow", "signs@ann/snow", by="ann")
        card.locator("summary", has_text="1 branch").click()
        button(card, "Merge signs@ann/snow").click()
        page.get_by_text("signs@ann/snow beside signs:").wait_for()
        said = page.get_by_test_id("mlops-form").inner_text()
        added = data.diff(ws, "signs", "signs@ann/snow").counts["added"]
        assert added and f"{added} samples added, 0 removed, 0 changed" in said
        page.screenshot(path=pictures / "merge.png")
        answer(page, "Merge")
        page.get_by_text("Merged signs@ann/snow").first.wait_for()
        assert data.diff(ws, "signs", "signs@ann/snow").counts["added"] == 0
        page.screenshot(path=pictures / "merged.png")
        assert not accessible(page, "[data-testid='mlops-data']")


def test_another_folder_goes_into_no_data_set_that_nobody_named(ann, browser, pictures):
    "What is chosen in the file browser is a suggestion for the folder alone."
    ws = open_workspace(ann.folder.parent / "workspace")
    before = data.resolve(ws, "signs")
    with opened(browser, ann, pictures=pictures) as page:
        section = panel(page, "data")
        button(section, "Ingest a folder …").click()
        answer(page, "Ingest", folder="snow")
        section.get_by_role("article", name="Data set snow").wait_for()
        panel(page, "runs").get_by_text("from snow").first.wait_for()
    assert data.resolve(ws, "signs") == before


def test_what_cannot_be_read_says_why(ann, browser, pictures):
    with opened(browser, ann, pictures=pictures) as page:
        button(panel(page, "data"), "Ingest a folder …").click()
        answer(page, "Ingest", folder="nowhere", name="signs")
        page.get_by_text("ingest of signs failed").first.wait_for()
        button(page, "Why").first.click()
        page.locator(".jp-Dialog", has_text="nowhere").wait_for()
        page.screenshot(path=pictures / "why.png")

"What people do by a click, or by keys alone, each beside its effect; in two views, two tabs and after a reload."

import re
import time

import pytest
from conftest import ROOT, answer, button, command, opened, panel
from town import notebook

from mlops_nb import data
from mlops_nb.jobs import jobs
from mlops_nb.ledger import acts, proposals
from mlops_nb.pipeline import load_run
from mlops_nb.registry import resolve_model


@pytest.fixture
def page(browser, bob, request, pictures):
    "A page with a layout of its own."
    layout = f"lab/workspaces/{request.node.name}"
    with opened(browser, bob, path=layout, pictures=pictures) as page:
        yield page
        page.screenshot(path=pictures / "end.png")


def until(page, seen):
    "Wait for what the page does not tell of; its value."
    end = time.monotonic() + 60
    while not (value := seen()):
        assert time.monotonic() < end, "waited for a minute"
        page.wait_for_timeout(100)
    return value


def card(page):
    "The newest run, in the panel."
    return panel(page, "runs").locator("article[data-testid^=mlops-run-]").first


def begin(page, lab, name: str, seconds: float, cells: int = 4) -> None:
    "Open a notebook that takes its time, and run it as a step."
    notebook(lab.folder / name, cells=cells, seconds=seconds)
    command(page, "docmanager:open", {"path": name})
    button(page.locator(".jp-NotebookPanel-toolbar:visible"), "Run as step").click()
    answer(page, "Run")
    page.get_by_test_id("mlops-strip").wait_for()


def test_a_rejected_proposal_keeps_its_reason(ws, page):
    model = panel(page, "models").get_by_test_id("mlops-model-signs")
    button(model, "Reject the proposal of ann").click()
    answer(page, "Reject", comment="nobody looked at the night")
    model.get_by_text("rejected").wait_for()
    (refused,) = proposals(ws, status="rejected")
    told = acts(ws, verb="reject", touching=refused.id)[-1]
    assert (told.by, told.facts["comment"]) == ("bob", "nobody looked at the night")


def test_an_alias_goes_back(ws, page):
    assert resolve_model(ws, "signs@staging").version == 2
    model = panel(page, "models").get_by_test_id("mlops-model-signs")
    button(model, "Roll back signs in staging to 1").click()
    button(page.locator(".jp-Dialog"), "Roll back").click()
    model.get_by_text("staging 1").wait_for()
    assert resolve_model(ws, "signs@staging").version == 1
    assert acts(ws, verb="rollback")[-1].by == "bob"


def test_a_branch_and_a_sample_that_is_sound_after_all(ws, page):
    section = panel(page, "data")
    button(section, "Fork boxes").click()
    answer(page, "Fork", fork="bob/night")
    boxes = section.get_by_role("article", name="Data set boxes")
    boxes.get_by_text("1 branch").wait_for()
    assert [one.name for one in data.branches(ws, "boxes")] == ["bob/night"]
    boxes.get_by_text("1 in quarantine").click()
    button(boxes, "Release boxes/3.png").click()
    answer(page, "Release", reason="the sign is half in the picture")
    boxes.get_by_text("1 in quarantine").wait_for(state="detached")
    boxes.get_by_text("version 4 is not checked yet").wait_for()
    assert data.waiting(ws, "boxes").num_rows == 0
    assert acts(ws, verb="release")[-1].facts["reason"] == "the sign is half in the picture"


def test_a_run_is_cancelled_and_resumed_to_its_end(ws, bob, page):
    begin(page, bob, "slow.ipynb", seconds=0.5)
    strip = page.get_by_test_id("mlops-strip")
    strip.get_by_text(re.compile("cell [3-6] of")).wait_for()
    button(strip, "Stop").click()
    strip.get_by_text("stopped", exact=True).wait_for()
    first = load_run(ws, card(page).get_attribute("data-id"))
    card(page).get_by_text("stopped by bob").first.wait_for()
    assert first.status == "stopped"
    button(strip, "Resume").click()
    strip.get_by_text("done", exact=True).wait_for()
    card(page).get_by_text("ran", exact=True).first.wait_for()
    second = load_run(ws, card(page).get_attribute("data-id"))
    assert (second.status, second.parent, second.by) == ("ran", first.id, "bob")
    button(strip, "Log").click()
    card(page).get_by_role("log").wait_for()
    button(panel(page, "data"), "Validate signs").click()
    card_of_checks = panel(page, "runs").locator("article", has_text="validate signs").first
    card_of_checks.get_by_text("done", exact=True).wait_for()
    assert strip.get_by_text("resume").count() == 1  # still the notebook's own


def test_a_run_goes_on_without_its_page(ws, bob, browser, pictures):
    with opened(browser, bob, path="lab/workspaces/leaving", pictures=pictures) as page:
        begin(page, bob, "leaving.ipynb", seconds=3)
        page.get_by_test_id("mlops-strip").get_by_text(re.compile("cell [3-6] of")).wait_for()
        run = card(page).get_attribute("data-id")
    assert load_run(ws, run).status == "running"
    with opened(browser, bob, path="lab/workspaces/another", pictures=pictures) as page:
        there = panel(page, "runs").locator(f"[data-id='{run}']")
        bar = there.get_by_role("progressbar").first
        assert int(bar.get_attribute("aria-valuenow")) >= 2  # what the other page saw
        command(page, "docmanager:open", {"path": "leaving.ipynb"})
        strip = page.get_by_test_id("mlops-strip")
        strip.get_by_text(re.compile("cell [4-6] of")).wait_for()
        strip.get_by_text("done", exact=True).wait_for()
        there.get_by_text("Log").click()
        there.get_by_role("log").get_by_text("4 done").wait_for()
    assert load_run(ws, run).status == "ran"


def test_every_command_is_in_the_palette_and_in_the_menu(page):
    source = (ROOT / "labextension/src/commands/ids.ts").read_text("utf-8")
    known = set(re.findall(r"'(mlops-nb:[\w-]+)'", source))
    assert len(known) > 25
    command(page, "apputils:activate-command-palette")
    entries = page.locator(".lm-CommandPalette-item[data-command^=mlops-nb]")
    entries.first.wait_for()
    found = entries.evaluate_all("all => all.map(one => one.dataset.command)")
    assert set(found) == known
    page.keyboard.press("Escape")
    page.get_by_role("menuitem", name="MLOps", exact=True).click()
    entries = page.locator(".lm-Menu-item[data-command^=mlops-nb]")
    entries.first.wait_for()
    assert set(entries.evaluate_all("all => all.map(one => one.dataset.command)")) == known
    labels = entries.locator(".lm-Menu-itemLabel").all_inner_texts()
    assert "" not in labels and len(set(labels)) == len(labels)


def test_the_status_bar_leads_to_what_it_tells(page):
    item = page.get_by_test_id("mlops-status").locator("visible=true")
    item.get_by_text("1 alert").wait_for()
    item.click()
    page.locator("[data-testid=mlops-staging]:focus-within").wait_for()


def test_a_look_that_has_ended_is_opened_again(page, ws):
    def looks():
        return [one for one in jobs(ws) if one.verb == "browse"]

    def shown():
        frame = page.get_by_test_id("mlops-browse").locator("iframe")
        frame.wait_for(timeout=120_000)
        frame.content_frame.locator("[data-cy='looker']").first.wait_for(timeout=120_000)

    command(page, "mlops-nb:browse", {"ref": "signs@v1"})
    shown()
    begun = len(looks())
    page.evaluate("window.jupyterapp.commands.execute('mlops-nb:browse', {ref: 'signs@v1'})")
    shown()
    assert len(looks()) == begun  # it is open
    assert data.stop_browsing(ws)
    command(page, "mlops-nb:browse", {"ref": "signs@v1"})
    until(page, lambda: len(looks()) == begun + 1)
    shown()


def test_a_reload_brings_lineage_and_browse_back(page, bob):
    command(page, "mlops-nb:open-lineage", {"of": "signs@staging"})
    command(page, "mlops-nb:browse", {"ref": "boxes@v1"})
    frame = page.get_by_test_id("mlops-browse").locator("iframe")
    frame.wait_for(timeout=120_000)
    layouts = bob.folder.parent / ".jupyter/lab/workspaces"
    until(page, lambda: [one for one in layouts.iterdir() if all(
        tab in one.read_text("utf-8") for tab in ("mlops-nb-browse:boxes@v1", "mlops-nb-lineage:mlops-nb-lineage-")
    )])  # fmt: skip
    page.reload()
    frame.wait_for(timeout=120_000)
    frame.content_frame.locator("[data-cy='looker']").first.wait_for(timeout=120_000)
    page.locator(".lm-TabBar-tab", has_text="Lineage: signs@staging").click()
    graph = page.get_by_test_id("mlops-lineage")
    graph.get_by_role("button", name=re.compile("^model ")).first.wait_for()


def test_a_toolbar_acts_on_its_own_notebook(page, bob):
    page.set_viewport_size({"width": 2400, "height": 900})  # no button in the menu of the narrow
    for name in ("left.ipynb", "right.ipynb"):
        notebook(bob.folder / name, cells=1, seconds=0)
        command(page, "docmanager:open", {"path": name, "options": {"mode": "split-right"}})
        page.locator(".jp-Notebook:visible").last.wait_for()
    for name in ("left.ipynb", "right.ipynb", "left.ipynb"):
        for verb in ("Train", "Run as step"):  # whichever has the focus
            button(shown(page, name), verb).click()
            page.locator(".jp-Dialog-header", has_text=f"{verb}: {name}").wait_for()
            page.locator(".mlops-Form :focus").wait_for()
            page.keyboard.press("Escape")
            page.locator(".jp-Dialog").wait_for(state="detached")
    button(shown(page, "left.ipynb"), "Run as step").click()
    answer(page, "Run")
    shown(page, "left.ipynb").get_by_text("run left.ipynb").wait_for()
    assert page.get_by_test_id("mlops-strip").count() == 1


def shown(page, name: str):
    "A notebook that is open, with its toolbar."
    found = "name => [...jupyterapp.shell.widgets('main')].find(one => one.title.label === name).id"
    return page.locator(f"[id='{page.evaluate(found, name)}']")


def test_by_keys_alone(ws, page):
    keys = page.keyboard
    palette = page.locator(".lm-CommandPalette-input:focus")
    until(page, lambda: keys.press("Control+Shift+c") or palette.is_visible())
    keys.type("Show models")
    page.locator(".lm-CommandPalette-item.lm-mod-active", has_text="Show models").wait_for()
    keys.press("Enter")
    page.locator("[data-testid=mlops-models]:focus").wait_for()
    for key, heading in (("Shift+Tab", "Models"), ("ArrowUp", "Runs"), ("ArrowUp", "Data")):
        keys.press(key)
        page.locator(".lm-AccordionPanel-title:focus", has_text=heading).wait_for()
    focus(page, "Tab", "Fork signs")
    keys.press("Enter")
    page.get_by_test_id("mlops-form").wait_for()
    focus(page, "Tab", "fork")
    keys.type("bob/keys")
    keys.press("Enter")
    page.locator(".jp-Dialog").wait_for(state="detached")
    focused(page, "Fork signs")  # where it was before
    assert [one.name for one in data.branches(ws, "signs")] == ["bob/keys"]


NAMED = (
    "() => { const it = document.activeElement; return it.ariaLabel || it.name || it.textContent; }"
)


def focused(page, name: str) -> None:
    "Wait until what is called so has the focus."
    page.wait_for_function(f"name => ({NAMED})() === name", arg=name)


def focus(page, key: str, name: str) -> None:
    "Press a key until what is called so has the focus."
    for _ in range(40):
        if page.evaluate(NAMED) == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} does not lead to {name!r}")

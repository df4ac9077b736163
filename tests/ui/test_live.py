"What goes on is shown where it belongs, as it comes, and without asking again and again."

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import command, opened, running_lab

from mlops_nb import data
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.jobs import start, stop_job, watch_job
from mlops_nb.lab.kept import kept
from mlops_nb.pipeline import Step
from mlops_nb.pipeline.runs import Run, StepRun, begin, tell
from mlops_nb.workspace import open_workspace

WAITS = "from pathlib import Path; import time\nprint('epoch 1')\nwhile not Path('go').exists(): time.sleep(0.05)"


def notebook(path: Path, *cells: str) -> Path:
    "A notebook that a person wrote."
    made = [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
             "id": f"c{i}", "source": one} for i, one in enumerate(cells)]  # fmt: skip
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": made, "metadata": about, "nbformat": 4, "nbformat_minor": 5}))  # fmt: skip
    return path


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    home = tmp_path_factory.mktemp("team")
    write_crops(home / "signs", drives(11, 4))
    ws = open_workspace(home / "workspace")
    data.ingest(ws, home / "signs", "signs", by="dora")
    return ws


@pytest.fixture(scope="module")
def ann(team, tmp_path_factory):
    with running_lab(tmp_path_factory.mktemp("ann"), team.root, actor="ann") as lab:
        yield lab


def ended(ws, job):
    *_, last = watch_job(ws, job.id)
    return last


def run(ws, path: Path, *, by: str):
    "Somebody begins a notebook, in a terminal or on a page of their own; it runs already."
    job = start(ws, "run", {"notebook": str(path)}, by=by)
    return next(one for one in watch_job(ws, job.id) if one.run)


def open_notebook(page, name: str):
    page.evaluate("path => window.jupyterapp.commands.execute('docmanager:open', {path})", name)
    page.locator(".jp-NotebookPanel-toolbar:visible").wait_for()


def show(page, section: str):
    page.evaluate(
        "section => window.jupyterapp.commands.execute('mlops-nb:open-panel', {section})", section
    )
    return page.get_by_test_id(f"mlops-{section}")


def again(page) -> None:
    page.reload()
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("window.jupyterapp.restored")


@pytest.mark.timeout(120)
def test_a_notebook_shows_its_own_work_and_keeps_it(team, ann, browser, pictures, tmp_path):
    "Not the work of another person's notebook of the same name; and it is still there after a reload."
    mine = notebook(ann.folder / "train.ipynb", WAITS)
    others = notebook(tmp_path / "ben" / "train.ipynb", WAITS)
    theirs = run(team, others, by="ben")
    with opened(browser, ann, pictures=pictures) as page:
        open_notebook(page, "train.ipynb")
        section = show(page, "runs")
        section.get_by_text("1 running", exact=True).wait_for(state="attached")
        strip = page.get_by_test_id("mlops-strip")
        assert strip.count() == 0
        ours = run(team, mine, by="cem")  # the folder is shared
        strip.get_by_text("cem").wait_for()
        page.screenshot(path=pictures / "somebody-elses.png")
        (mine.parent / "go").touch()
        assert ended(team, ours).status == "done"
        strip.get_by_text("done", exact=True).wait_for()
        again(page)
        strip.get_by_text("done", exact=True).wait_for()
        page.screenshot(path=pictures / "after-a-reload.png")
        strip.get_by_role("button", name="Close this line").click()
        strip.wait_for(state="detached")
        again(page)
        show(page, "runs").get_by_text("train.ipynb").first.wait_for()
        assert strip.count() == 0

        stop_job(team, theirs.id, by="ann")
        ended(team, theirs)
        card = page.get_by_test_id(f"mlops-run-{theirs.run[4:12]}")
        card.locator(".mlops-Step").get_by_text("stopped", exact=True).wait_for()
        page.screenshot(path=pictures / "stopped.png")


@pytest.mark.timeout(120)
def test_a_log_is_shown_as_it_comes_and_silence_is_not_asked_about(team, ann, browser, pictures):
    silent = notebook(ann.folder / "silent" / "silent.ipynb", f"{WAITS}\nprint('epoch 2')")
    with opened(browser, ann, pictures=pictures) as page:
        section = show(page, "runs")
        job = run(team, silent, by="ann")
        one = section.get_by_test_id(f"mlops-run-{job.run[4:12]}")
        one.get_by_text("Log", exact=True).click()
        one.get_by_role("log").get_by_text("epoch 1").wait_for()  # the cell goes on
        page.screenshot(path=pictures / "log.png")
        one.get_by_text("Log", exact=True).click()
        one.get_by_role("log").wait_for(state="detached")
        page.wait_for_timeout(1_000)
        asked = []
        page.on("request", lambda r: "/mlops-nb/" in r.url and asked.append(r.url))
        page.wait_for_timeout(10_000)
        assert len(asked) <= 1, asked  # one look whether all was heard
        assert int(re.match("[0-9]+", one.locator("time").first.inner_text())[0]) >= 5  # s ago
        (silent.parent / "go").touch()
        ended(team, job)
        one.get_by_text("ran", exact=True).first.wait_for()


@pytest.mark.timeout(120)
def test_a_page_that_missed_events_asks_for_all_it_shows(team, ann, browser, pictures):
    sockets, cut = [], []

    def through(socket):
        if cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    with opened(browser, ann, pictures=pictures) as page:
        page.route_web_socket(re.compile("/api/events/subscribe"), through)
        again(page)
        section = show(page, "data")
        section.get_by_text("signs").first.wait_for()
        cut.append(True)
        [one.close() for one in sockets]
        data.fork(team, "signs", "ben/night", by="ben")
        page.wait_for_timeout(2_500)  # the server tells it to nobody
        section.get_by_text("0 branches").wait_for()
        cut.clear()
        with page.expect_websocket(lambda one: "/api/events/" in one.url):
            pass
        ended(team, start(team, "validate", {"ref": "nothing"}, by="ben"))
        section.get_by_text("1 branch").wait_for()
        page.screenshot(path=pictures / "caught-up.png")


@pytest.mark.timeout(120)
def test_what_was_known_last_is_shown_while_the_server_still_looks(team, ann, browser, pictures):
    def branches():
        return kept(team, "datasets")["value"][0]["branches"]

    held, lists = [], re.compile("/mlops-nb/datasets([?]|$)")
    with opened(browser, ann, pictures=pictures) as page:
        shown = show(page, "data").get_by_text(re.compile("[0-9]+ branch")).inner_text()
        known = re.search("[0-9]+ branch", shown)[0]
        while not (kept(team, "datasets") and len(branches()) == int(known.split()[0])):
            page.wait_for_timeout(50)
        page.route(lists, lambda one: held.append(one))
        data.fork(team, "signs", "cem/rain", by="cem")
        again(page)
        section = show(page, "data")
        section.get_by_text("looking again").wait_for()
        section.get_by_text(known).wait_for()
        page.screenshot(path=pictures / "as-it-was.png")
        [one.continue_() for one in held]
        page.unroute(lists)
        section.get_by_text("looking again").wait_for(state="detached")
        section.get_by_text(known).wait_for(state="detached")


@pytest.mark.timeout(120)
def test_a_job_that_failed_has_a_log(team, ann, browser, pictures, tmp_path):
    job = start(team, "ingest", {"folder": str(tmp_path / "nothing"), "name": "x"}, by="ann")
    assert ended(team, job).status == "failed"
    with opened(browser, ann, pictures=pictures) as page:
        one = show(page, "runs").get_by_test_id(f"mlops-job-{job.id[4:12]}")
        one.get_by_text("Log", exact=True).click()
        one.get_by_role("log").wait_for()
        page.screenshot(path=pictures / "log-of-a-job.png")


@pytest.mark.timeout(120)
def test_a_password_is_not_shown_and_a_long_problem_is_told_whole(team, ann, browser, pictures):
    why = f"{'The store did not answer. ' * 10}Ask dora for a password."
    path = notebook(ann.folder / "fetch.ipynb", "password: str = ''  # of the store\nwidth: int = 24",
                    f"raise ValueError({why!r})")  # fmt: skip
    said = json.loads(path.read_text())
    said["cells"][0]["metadata"]["tags"] = ["parameters"]
    path.write_text(json.dumps(said))
    with opened(browser, ann, pictures=pictures) as page:
        open_notebook(page, "fetch.ipynb")
        command(page, "mlops-nb:run-step")
        form = page.get_by_test_id("mlops-form")
        form.locator("input[type=password]").fill("not for everybody")
        form.locator("[name=width]").fill("7")
        page.screenshot(path=pictures / "form.png")
        page.locator(".jp-Dialog").get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("button", name="Why").click()
        page.locator(".jp-Dialog").get_by_text("Ask dora for a password.").wait_for()
        page.screenshot(path=pictures / "why.png")
        page.keyboard.press("Escape")
        command(page, "mlops-nb:run-step")  # once more, with what was asked before
        form.wait_for()
        assert form.locator("[name=width]").input_value() == "7"
        assert form.locator("input[type=password]").input_value() == ""
    for place in team.path("jobs").iterdir():
        assert not [one for one in place.iterdir() if "not for everybody" in one.read_text()]


@pytest.mark.timeout(120)
def test_runs_of_long_ago_are_shown_to_who_asks(tmp_path, browser, pictures):
    "And stay, whatever runs meanwhile and however often the page asks again."
    ws = open_workspace(tmp_path / "workspace")

    def nights(first: int, last: int) -> None:
        for n in range(first, last):
            steps = (StepRun(f"night-{n}", "ran"),)
            began = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n)).isoformat()
            done = Run(f"run:{uuid.uuid4().hex}", steps, by="cron", began_at=began)
            begin(ws, done, [Step(f"night-{n}", tmp_path / "night.ipynb")])
            tell(ws, done.id, "run", status="ran", by="cron", stopped_by="")

    nights(0, 120)
    with (
        running_lab(tmp_path / "ann", ws.root, actor="ann") as lab,
        opened(browser, lab, pictures=pictures) as page,
    ):
        section = show(page, "runs")
        cards, older = section.locator("article"), section.get_by_role("button", name="Older runs")
        for known in (50, 100):
            cards.nth(known - 1).wait_for()
            assert cards.count() == known
            older.press("Enter")
        older.wait_for(state="detached")
        cards.nth(119).wait_for()
        assert cards.count() == 120
        assert page.evaluate("document.activeElement.closest('[data-testid=mlops-runs]') !== null")
        assert section.get_by_role("alert").count() == 0
        page.screenshot(path=pictures / "older-runs.png")
        nights(120, 150)
        cards.nth(149).wait_for()
        with page.expect_response(re.compile("/mlops-nb/runs([?]|$)")):
            command(page, "mlops-nb:cancel-run", {"id": cards.nth(9).get_attribute("data-id")})
        page.wait_for_timeout(500)  # it has asked again
        said = cards.evaluate_all("all => all.map(one => one.ariaLabel)")
        assert said == [f"Run night-{n}" for n in range(149, -1, -1)]

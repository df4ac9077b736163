"""What a person waits for in JupyterLab: the panel, the first word about a click, a page under a flood of events.

    python benchmarks/lab_page.py [--rounds 5] [--workspace demo-workspace]

The workspace given is copied, and must hold a data set `signs`; without one a small one is made, which has no models.

Times are the page's own clock in a real Chromium. `started` is JupyterLab's own promise; a section of the
panel is there when it shows what the server told it, or what to do where there is nothing: at the first page
of a server that has just begun, at reloads, and at the first page of its next starts, which show what was known last
until the server has looked. A click on Validate is answered when the page shows the
job that the server began, and when it shows the first word of the job's own process. The flood is 500
events a second for 10 s, written as a runner writes them; a frozen page shows as a gap between frames.
"""

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from measuring import write_events
from playwright.sync_api import sync_playwright

from mlops_nb.data import ingest
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.pipeline import Step
from mlops_nb.pipeline.runs import Run, StepRun, begin, now, tell, write_state
from mlops_nb.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "ui"))
from conftest import running_lab

WATCH = """
window.seen = {};
const look = () => {
  const app = window.jupyterapp;
  if (app && !window.asked) { window.asked = true; app.started.then(() => { seen.started = performance.now(); }); }
  for (const name of ["data", "runs", "models", "staging"])
    if (!seen[name] && [...document.querySelectorAll(`[data-testid=mlops-${name}] :is(article, .mlops-Empty)`)].some(
        one => !one.textContent.startsWith("Looking at"))) seen[name] = performance.now();
  if (Object.keys(seen).length === 5) return;
  setTimeout(look, 2);
};
look();
"""
CLICK = """
() => new Promise(resolve => {
  const section = document.querySelector("[data-testid=mlops-data]");
  const known = new Set([...document.querySelectorAll("[data-testid^=mlops-job-]")].map(one => one.dataset.testid));
  const began = performance.now(), told = {};
  const look = () => {
    const job = [...document.querySelectorAll("[data-testid^=mlops-job-]")].find(one => !known.has(one.dataset.testid));
    if (job && !told.job) told.job = performance.now() - began;
    if (job && /begun|checks|checked/.test(job.textContent)) { told.word = performance.now() - began; resolve(told); }
    else if (performance.now() - began > 60000) resolve(told);
    else setTimeout(look, 2);
  };
  [...section.querySelectorAll("button")].find(one => one.textContent === "Validate").click();
  look();
})
"""
FRAMES = """
() => { window.gap = 0; let last = performance.now();
  const next = now => { window.gap = Math.max(window.gap, now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next); }
"""


def said(name: str, times: list[float], limit: str) -> None:
    shown = ", ".join(f"{one:.0f}" for one in times)
    print(f"{name}: median {statistics.median(times):.0f} ms ({shown}); asked: {limit}", flush=True)


SECTIONS = ("data", "runs", "models", "staging")


def shown(page) -> dict[str, float]:
    "When each section was there, in ms after JupyterLab's started."
    page.wait_for_function("window.seen && Object.keys(seen).length === 5", timeout=120_000)
    seen = page.evaluate("seen")
    return {name: max(0.0, seen[name] - seen["started"]) for name in SECTIONS}


def panel(page, rounds: int) -> None:
    "Reload with the panel open."
    took = []
    for _ in range(rounds):
        page.reload()
        took.append(shown(page))
    for name in SECTIONS:
        said(f"{name}, after JupyterLab's started", [one[name] for one in took], "< 1000 ms")


def click(page, rounds: int) -> None:
    "Validate, in the panel."
    told = []
    for _ in range(rounds):
        told.append(page.evaluate(CLICK))
        page.wait_for_timeout(4000)
    said("Validate: the job is shown", [one["job"] for one in told], "< 300 ms")
    said("Validate: its process's first word is shown", [one["word"] for one in told], "< 300 ms")


def flood(page, ws, folder: Path, *, per_second: int = 500, seconds: int = 10) -> None:
    "Events of a run while its card is in sight."
    run = Run(f"run:{uuid.uuid4().hex}", (StepRun("flood", "running"),), by="ann",
              began_at=now(), process=(platform.node(), os.getpid()))  # fmt: skip
    begin(ws, run, [Step("flood", folder / "flood.ipynb")])
    card = page.get_by_test_id(f"mlops-run-{run.id.removeprefix('run:')[:8]}")
    card.wait_for(timeout=30_000)
    page.evaluate(FRAMES)
    n, wrote = write_events(ws, run.id, "flood", per_second=per_second, seconds=seconds)
    write_state(ws, Run(**{**run.__dict__, "status": "ran", "ended_at": now(),
                           "steps": (StepRun("flood", "ran"),)}))  # fmt: skip
    tell(
        ws,
        run.id,
        "step",
        step="flood",
        status="ran",
        cells=n,
        of=n,
        seconds=wrote,
        error=None,
        made_by=None,
    )
    tell(ws, run.id, "run", status="ran", by="ann", stopped_by="")
    ended = time.perf_counter()
    card.get_by_text(f"{n} of {n} cells").wait_for(timeout=30_000)
    late = time.perf_counter() - ended
    print(f"flood: {n} events in {wrote:.1f} s; the last state is shown after {late * 1e3:.0f} ms; "
          f"longest gap between frames {page.evaluate('window.gap'):.0f} ms", flush=True)  # fmt: skip


def first(browser, lab, which: str):
    "The first page of a server, with the panel open."
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(WATCH)
    page.goto(lab.page())
    page.wait_for_function("window.seen && seen.started", timeout=120_000)
    page.evaluate("jupyterapp.restored.then(() => null)")
    page.evaluate("jupyterapp.commands.execute('mlops-nb:open-panel', {section: 'data'})")
    said = ", ".join(f"{name} {ms:.0f} ms" for name, ms in shown(page).items())
    page.get_by_text("looking again").first.wait_for(state="detached")
    whole = page.evaluate("performance.now() - seen.started")
    print(f"the first page {which}, after started: {said}; up to date {whole:.0f} ms", flush=True)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workspace", type=Path)
    given = parser.parse_args()
    rounds = given.rounds
    home = Path(tempfile.mkdtemp())
    if given.workspace:
        shutil.copytree(given.workspace, home / "workspace", symlinks=True)
    ws = open_workspace(home / "workspace")
    if not given.workspace:
        write_crops(home / "signs", drives(5, 20))
        ingest(ws, home / "signs", "signs")
    (home / "flood.ipynb").write_text(
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
    )
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        with running_lab(home / "ann", ws.root, actor="ann") as lab:
            page = first(browser, lab, "of a server that knows nothing of an earlier one")
            page.get_by_role("button", name="Validate signs").wait_for(timeout=120_000)
            click(page, rounds)
            flood(page, ws, home)
            panel(page, rounds)
            page.context.close()
        for morning in range(rounds):
            with running_lab(home / f"ann{morning}", ws.root, actor="ann") as lab:
                first(browser, lab, "of its next start").context.close()
        browser.close()
    shutil.rmtree(home)


if __name__ == "__main__":
    main()

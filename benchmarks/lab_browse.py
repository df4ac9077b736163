"""Browse from the click to the picture: FiftyOne behind a Jupyter server, in a real browser.

    python benchmarks/lab_browse.py [--frames 200] [--rounds 3]

Cold is a workspace nobody has browsed: mongod, FiftyOne's import, the dataset, the first page of a
browser without a cache. Warm is the same look again; in a browser that has the App's files, and in
one that has not; its peer is the App's own page, asked over a bare relay in its turn. Processor seconds
stand beside, since a busy machine stretches the others.
"""

import argparse
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
from measuring import figure, write_frames
from playwright.sync_api import sync_playwright

from mlops_nb.data import ingest, stop_browsing
from mlops_nb.data.database import hold
from mlops_nb.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "lab"))
from servers import TOKEN, jupyter

GRID = '[data-cy="looker"] canvas[canvas-loaded=true]'


def pictured(page, url: str) -> float:
    "Seconds until a page of the App shows its first picture."
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(GRID, timeout=120_000)
    return time.perf_counter() - start


@contextmanager
def relayed(path: Path):
    "A port from which bytes go to a unix socket and back, unread."

    def pour(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, app = door.accept()[0], socket.socket(socket.AF_UNIX)
                app.connect(str(path))
                for pair in ((client, app), (app, client)):
                    threading.Thread(target=pour, args=pair, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def opened(server, page) -> tuple[float, float, str]:
    "Seconds until the look is open, and from then until the first picture is shown; and its path."
    start = time.perf_counter()
    job = server.post("jobs", {"verb": "browse", "arguments": {"ref": "frames"}}).json()
    while job["status"] == "running":
        time.sleep(0.02)
        (job,) = server.get("jobs", id=job["id"]).json()
    ready = time.perf_counter() - start
    return ready, pictured(page, server.url + job["result"]["path"]), job["result"]["path"]


def spent(pids: list[int]) -> float:
    "Processor seconds of processes and their children."
    every = [one for pid in pids for one in [psutil.Process(pid)]]
    every += [child for one in every for child in one.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in every)


@contextmanager
def logged_in(browser, server):
    "A page of a browser without a cache."
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{server.url}login?token={TOKEN}")
    yield page
    context.close()


def warm(server, page, own: str, *, kind: str, told: dict[str, list[int]]) -> None:
    "Look again, and print what it took whom; then look at the App without our server."
    page.goto("about:blank")
    before = {name: spent(pids) for name, pids in told.items()}
    job, shown, path = opened(server, page)
    figure(f"warm, {kind}: the look is open", job, unit="s")
    figure(f"warm, {kind}: the first picture", job + shown, most=3, unit="s")
    for name, pids in told.items():
        figure(f"  processor time of {name}", spent(pids) - before[name], unit="s")
    page.goto("about:blank")
    beside = pictured(page, own.format(page=path.removeprefix("mlops-nb/browse/")))
    figure("  its page, beside the App's own", shown, beside, unit="s")


def measured(folder: Path, frames: int, rounds: int) -> None:
    "Print the figures."
    write_frames(folder / "images", frames, (240, 320))
    ws = open_workspace(folder / "work" / ".mlops")
    ingest(ws, folder / "images", name="frames")
    with jupyter(folder, base_url="/user/ann/") as server, sync_playwright() as playing:
        chromium = shutil.which("chromium")
        browser = playing.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with logged_in(browser, server) as page:
            job, shown, _ = opened(server, page)
        figure(f"cold: the look is open, {frames} frames", job, unit="s")
        figure("cold: the first picture", job + shown, most=20, unit="s")
        with hold(ws) as held:
            told = {"the Jupyter server": [server.process.pid], "the App": [held.pids["server"]]}
        told["the browser"] = [
            one.pid for one in psutil.Process().children() if "node" in one.name()
        ]
        with relayed(held.socket) as port:
            base = f"/{held.secret}/"
            own = f"http://127.0.0.1:{port}{base}{{page}}?proxy={quote(base, safe='')}&polling=true"
            for _ in range(rounds):
                with logged_in(browser, server) as page:
                    warm(server, page, own, kind="a new browser", told=told)
            with logged_in(browser, server) as page:
                warm(server, page, own, kind="the same browser, not counted", told=told)
                for _ in range(rounds):
                    warm(server, page, own, kind="the same browser", told=told)
        browser.close()
    stop_browsing(ws)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as place:
        measured(Path(place).resolve(), asked.frames, asked.rounds)

"""What the extension costs a Jupyter server, and what it holds: start, a flood, first answers, a long log, many runs.

Run: python benchmarks/lab.py [start] [flood] [answers] [log] [crowd]; everything runs on this machine alone.
"""

import contextlib
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import websocket
from measuring import write_events

from mlops_nb.pipeline import Step
from mlops_nb.pipeline.runs import Run, StepRun, begin, folder_of, now, tell, write_state
from mlops_nb.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "lab"))

TOKEN, CHANGED = "a-token", "https://events.mlops-nb.org/changed/v1"
HEADERS = {"Authorization": f"token {TOKEN}"}


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(folder: Path, *, extension: bool) -> Iterator[tuple[str, float, float]]:
    "Its URL, and seconds of wall clock and of CPU until it answered."
    at = port()
    words = {"ServerApp.port": at, "ServerApp.root_dir": str(folder), "ServerApp.allow_root": True,
             "ServerApp.open_browser": False, "IdentityProvider.token": TOKEN,
             "ServerApp.jpserver_extensions": {"mlops_nb.lab": extension}}  # fmt: skip
    known = os.environ | {"HOME": str(folder), "JUPYTER_NO_CONFIG": "1"}
    known.pop("MLOPS_NB_WORKSPACE", None)
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", *(f"--{k}={v}" for k, v in words.items())],
        env=known, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{at}/"
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}api/status", headers=HEADERS, trust_env=False).is_success:
                    break
            time.sleep(0.005)
        took = time.perf_counter() - began
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        yield url, took, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    finally:
        process.terminate()
        process.wait(30)


def start(folder: Path, times: int = 6) -> None:
    "With and without the extension, in turns."
    found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for turn in range(2 * times + 2):
        with server(folder, extension=turn % 2 == 1) as (_, took, cpu):
            if turn > 1:  # the first pair reads the disk
                found[turn % 2 == 1].append((took, cpu))
    for k, what in enumerate(("wall clock", "CPU")):
        plain, ours = (statistics.median(one[k] for one in found[which]) for which in (False, True))
        print(f"start, {what}: {plain * 1e3:.0f} ms without, {ours * 1e3:.0f} ms with the extension: "
              f"{(ours - plain) * 1e3:+.0f} ms, ratio {ours / plain:.3f}")  # fmt: skip


def imports() -> None:
    "The modules that the extension adds to those of a server, by their own import times."
    code = "import jupyter_server.serverapp, jupyter_server.extension.application; import mlops_nb.lab.app"
    told = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True,
                          text=True, check=True).stderr  # fmt: skip
    line = next(one for one in reversed(told.splitlines()) if one.endswith(" mlops_nb.lab.app"))
    took_us = int(re.findall(r"\d+", line)[1])
    print(f"import of mlops_nb.lab.app in a server: {took_us / 1e3:.0f} ms")


def flood(folder: Path, *, per_second: int = 500, seconds: int = 10) -> None:
    "Events of one run, written as a runner writes them, and what a page hears."
    with server(folder, extension=True) as (url, _, _):
        ws = open_workspace(folder / ".mlops")
        page = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        (folder / "train.ipynb").write_text(json.dumps(page))
        going = Run(f"run:{uuid.uuid4().hex}", (StepRun("train", "running"),), by="ann",
                    began_at=now(), process=(platform.node(), os.getpid()))  # fmt: skip
        socket_url = f"{url.replace('http', 'ws', 1)}api/events/subscribe?token={TOKEN}"
        listening = websocket.create_connection(socket_url, timeout=60)
        begin(ws, going, [Step("train", folder / "train.ipynb")])
        n, wrote = write_events(ws, going.id, "train", per_second=per_second, seconds=seconds)
        asked = time.perf_counter()
        httpx.get(f"{url}mlops-nb/runs", headers=HEADERS, trust_env=False).raise_for_status()
        answered = time.perf_counter() - asked
        done = (StepRun("train", "ran"),)
        write_state(ws, replace(going, status="ran", steps=done, ended_at=now()))
        tell(ws, going.id, "run", status="ran", by="ann", stopped_by="")
        ended, states = datetime.fromisoformat(now()).timestamp(), []
        while not states or states[-1]["status"] == "running":
            event = json.loads(listening.recv())
            if event["schema_id"] == CHANGED and event["topic"] == "run":
                states.append(event["state"])
        late = time.time() - ended
        listening.close()
    lost = n + 2 - states[-1]["lines"]
    print(f"flood: {n} events in {wrote:.1f} s, {len(states)} states told ({len(states) / wrote:.1f}/s), "
          f"{lost} lines missing in the last one, which came {late * 1e3:.0f} ms after the end; "
          f"a snapshot meanwhile took {answered * 1e3:.0f} ms")  # fmt: skip


def answers(folder: Path) -> None:
    "A click to the first word about it, and what a page asks for first."
    with server(folder, extension=True) as (url, _, _):
        open_workspace(folder / ".mlops")
        with httpx.Client(base_url=url, headers=HEADERS, trust_env=False, timeout=60) as client:
            took = []
            for _ in range(5):
                began = time.perf_counter()
                body = {"verb": "validate", "arguments": {"ref": "signs"}}
                client.post("mlops-nb/jobs", json=body).raise_for_status()
                took.append(time.perf_counter() - began)
            print(f"a job begun by HTTP: first {took[0] * 1e3:.0f} ms, "
                  f"then {statistics.median(took[1:]) * 1e3:.0f} ms")  # fmt: skip
            told(client, "")


def told(client: httpx.Client, where: str) -> None:
    for route in ("status", "runs", "jobs", "templates"):
        times = []
        for _ in range(6):
            began = time.perf_counter()
            client.get(f"mlops-nb/{route}").raise_for_status()
            times.append(time.perf_counter() - began)
        print(f"GET {route}{where}: first {times[0] * 1e3:.0f} ms, "
              f"then {statistics.median(times[1:]) * 1e3:.0f} ms", flush=True)  # fmt: skip


def crowd(folder: Path, many: int = 3_000) -> None:
    "First answers where so many runs and jobs have ended."
    ws = open_workspace(folder / ".mlops")
    first = Run(f"run:{uuid.uuid4().hex}", (StepRun("train", "ran"),), by="ann", began_at=now(),
                ended_at=now(), status="ran")  # fmt: skip
    begin(ws, first, [Step("train", folder / "train.ipynb")])
    tell(ws, first.id, "run", status="ran", by="ann", stopped_by="")
    kept = {path.name: path.read_text() for path in folder_of(ws, first.id).iterdir()}
    for _ in range(many):
        name = uuid.uuid4().hex
        for file, text in kept.items():
            (ws.folder("runs", name) / file).write_text(text.replace(first.id[4:], name))
        job = {"id": f"job:{name}", "verb": "validate", "arguments": {"ref": "signs"}, "by": "ann",
               "began_at": now(), "status": "done", "process": ["elsewhere", 1]}  # fmt: skip
        (ws.folder("jobs", name) / "job.json").write_text(json.dumps(job))
    with (
        server(folder, extension=True) as (url, _, _),
        httpx.Client(base_url=url, headers=HEADERS, trust_env=False, timeout=60) as client,
    ):
        told(client, f", {many:,} runs and jobs")


def log(folder: Path, lines: int = 200_000) -> None:
    "The section Staging, of a deployment that has answered so often."
    import worlds

    from mlops_nb.model.bundles import store_bundle

    ws = open_workspace(folder / ".mlops")
    bundle = worlds.bundle(folder / "bundles", 2).id
    store_bundle(ws, folder / "bundles" / "2")
    worlds.evaluated(ws, bundle, right=0.95)
    told = {"name": "staging", "url": "http://127.0.0.1:1", "pid": 0, "bundle_id": bundle,
            "started_at": now(), "instance": "one"}  # fmt: skip
    (ws.folder("deployments", "staging") / "deployment.json").write_text(json.dumps(told))
    (ws.folder("deployments", "staging") / "token").write_text("a-token")

    def line(k: int) -> str:
        high, stop = 0.7 + 0.3 * (k * 7919 % 1000) / 1000, k // 8 % 2
        at = datetime.fromtimestamp(1.8e9 + k / 100, UTC).isoformat(timespec="microseconds")
        said = {"at": f"{at[:-6]}Z", "image_id": f"img:{k:064x}", "model_id": bundle,
                "clip": f"drive-{k // 8}", "drive": None, "outside": [], "score": high,
                "predicted": worlds.CLASSES[1 - stop], "latency_ms": 3.25, "facts": {"weather": "snow"},
                "scores": [high, 1 - high] if stop else [1 - high, high]}  # fmt: skip
        return json.dumps(said) + "\n"

    with (ws.folder("predictions", "staging") / "20260101T000000.000000-1.jsonl").open("w") as file:
        file.writelines(map(line, range(lines)))
        file.flush()
        with server(folder, extension=True) as (url, _, _):
            for k, what in enumerate(("first", "again", "with 100 more", "with 100 more")):
                if k > 1:
                    file.writelines(map(line, range(lines + 100 * k, lines + 100 * k + 100)))
                    file.flush()
                began = time.perf_counter()
                answer = httpx.get(f"{url}mlops-nb/deployments", headers=HEADERS, trust_env=False,
                                   timeout=600).raise_for_status()  # fmt: skip
                took, [staging] = time.perf_counter() - began, answer.json()
                print(f"GET deployments, {staging['requests']:,} predictions, {what}: {took * 1e3:.0f} ms, "
                      f"{len(answer.content) / 1e3:.0f} kB", flush=True)  # fmt: skip


if __name__ == "__main__":
    chosen = sys.argv[1:] or ["start", "flood", "answers", "log", "crowd"]
    for name in chosen:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
            if name == "start":
                imports()
            every = {"start": start, "flood": flood, "answers": answers, "log": log,
                     "crowd": crowd}  # fmt: skip
            every[name](Path(empty).resolve())

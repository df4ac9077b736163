"""Notebooks as steps beside their peers, A B A B in one process: papermill, bare nbclient.

    python benchmarks/pipelines.py [--rounds 5] [--only one-cell heavy ...] [--peers PYTHON]

Every side starts a real kernel. The peers run as their users run them (papermill with its own engine
and the ordinary python3 kernel); bare nbclient gets our warm kernel, so that its ratio is the price of
states, figures, redaction, caps and whole pages. Medians are printed, and the ratio is what counts.
The template process is started and warmed before anything is timed, as it is on the second run of a
day; what the first run pays is printed too.

`chain` runs three steps in a session, everything imported, and as commands, from the start of a process to its
end. Metaflow and one of kfp's two sides run bare functions; the other, as papermill and ours, notebooks. They have
an environment of their own, since kfp's pins are not ours:

    python -m venv peers && peers/bin/python -m pip install 'kfp[notebooks]' metaflow
    python benchmarks/pipelines.py --only chain --peers peers/bin/python
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import papermill
import psutil
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat import v4

from mlops_nb.kernels import ask
from mlops_nb.pipeline import Output, Step, execute, plan, run, template
from mlops_nb.pipeline.away import place_of
from mlops_nb.registry import mirror
from mlops_nb.workspace import open_workspace

EMIT = "from mlops_nb.pipeline import emit\n"
HEAVY = "import torch, torchvision, mlflow, pandas"


def page(*cells: str, kernel: str = "python3"):
    found = v4.new_notebook(cells=[v4.new_code_cell(one) for one in cells])
    found.metadata.kernelspec = {"name": kernel, "display_name": kernel, "language": "python"}
    return found


def seconds(action: Callable, *arguments, **options) -> float:
    began = time.perf_counter()
    action(*arguments, **options)
    return time.perf_counter() - began


def alternately(
    rounds: int, between: Callable[[], object] = lambda: None, **sides: Callable[[], object]
) -> dict[str, float]:
    "Median seconds of each; the first round imports and is left out, and so is what is done between."
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            taken[name].append(seconds(side))
            between()
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def told(what: str, found: dict[str, float], asked: str, ratio: float) -> None:
    listed = ", ".join(f"{name} {value:.3f} s" for name, value in found.items())
    print(f"{what:44} {listed}; ratio {ratio:.2f} (asked {asked})", flush=True)


def beside_papermill(folder: Path, cells: tuple[str, ...], rounds: int) -> dict[str, float]:
    source = folder / "source.ipynb"
    source.write_text(json.dumps(page(*cells)))
    ours, theirs = folder / "ours.ipynb", folder / "theirs.ipynb"
    return alternately(
        rounds,
        papermill=lambda: papermill.execute_notebook(str(source), str(theirs), progress_bar=False),
        ours=lambda: execute(page(*cells), ours, folder=folder, environ={}),
    )


def price(folder: Path, rounds: int) -> dict[str, float]:
    "A tracked, redacted, recorded step against bare nbclient, both on a warm kernel."
    cells = [
        "import numpy as np",
        *["print(np.arange(5).sum())"] * 40,
        "import time; time.sleep(1)",
    ]
    ws, source = open_workspace(folder / "price"), folder / "price.ipynb"
    alike = {"extra_arguments": ["--HistoryManager.enabled=False"]}  # ours writes no history either
    ws.settings["track"] = "live"
    source.write_text(json.dumps(page(*cells)))
    return alternately(
        rounds,
        between=lambda: mirror(ws),  # the process that tells MLflow must not slow the other side
        nbclient=lambda: NotebookClient(page(*cells, kernel="mlops-nb"), **alike).execute(),
        ours=lambda: run(ws, [Step("price", source)], use_cache=False),
    )


def prepared() -> dict:
    "The template's state once it has a kernel ready that nobody has asked for."
    while not (state := ask())["spare"]:
        time.sleep(0.05)
    return state


def first_cell() -> tuple[float, float]:
    "From the wish for a kernel to the answer of its first cell, s; what it adds to memory, MB of PSS."
    family = psutil.Process(prepared()["pid"])

    def pss() -> int:
        return sum(p.memory_full_info().pss for p in [family, *family.children(recursive=True)])

    before, began = pss(), time.perf_counter()
    manager = KernelManager(kernel_name="mlops-nb")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.execute("1 + 1")
    while client.get_shell_msg(timeout=60)["msg_type"] != "execute_reply":
        pass
    took = time.perf_counter() - began
    prepared()  # so that one kernel more is all that has been added
    added = pss() - before
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return took, added / 2**20


def chain(folder: Path, n: int) -> list[Step]:
    "n steps, each told what the one before emitted."
    steps = []
    for at in range(n):
        path = folder / f"step{at}.ipynb"
        made = page("before: int = 0\nextra: int = 0", EMIT + "emit(value=before + 1)")
        made.cells[0].metadata.tags = ["parameters"]
        path.write_text(json.dumps(made))
        before = {"before": Output(f"step{at - 1}", "value")} if at else {}
        steps.append(Step(f"step{at}", path, before))
    return steps


class Side:
    "One way to run a chain: a process that runs it for each line it reads, or one process for each run."

    def __init__(self, folder: Path, python: str, name: str):
        self.words = [python, str(PEERS / f"chain_{name}.py"), str(folder)]
        told = {
            "METAFLOW_HOME": str(folder),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder / "mf"),
        }
        self.log = (folder / f"{name}.log").open("w")
        self.options = {"cwd": folder, "env": os.environ | told | {"METAFLOW_USER": "nobody"}}
        self.options |= {"text": True, "stderr": self.log, "stdout": subprocess.PIPE}
        self.session = subprocess.Popen(self.words, stdin=subprocess.PIPE, **self.options)

    def again(self) -> None:
        "In the session."
        print("run", file=self.session.stdin, flush=True)
        for line in self.session.stdout:
            if line.startswith("took "):
                return
        sys.exit(f"{self.words} failed; its log is {self.log.name}")

    def command(self) -> None:
        "From the start of a process to its end."
        subprocess.run(self.words, input="run\n", check=True, **self.options)


PEERS = Path(__file__).parent / "peers"


def three_steps(folder: Path, peers: str | None, rounds: int) -> None:
    "A chain of three beside whoever is here."
    chain(folder, 3)
    pythons = {"ours": sys.executable, "papermill": sys.executable}
    pythons |= dict.fromkeys(("kfp_notebooks", "kfp_functions", "metaflow"), peers) if peers else {}
    sides = {name: Side(folder, python, name) for name, python in pythons.items()}
    for what, way in (("in a session", "again"), ("as a command", "command")):
        found = alternately(rounds, **{name: getattr(side, way) for name, side in sides.items()})
        for name in list(found)[1:]:
            pair = {name: found[name], "ours": found["ours"]}
            ratio = found[name] / found["ours"]
            told(f"three steps {what}, {name} / ours", pair, "> 1", ratio)
    for side in sides.values():
        side.session.stdin.close()
        side.session.wait()
    if not peers:
        print("kfp and Metaflow were left out: see --peers above")


def planning(folder: Path, rounds: int) -> float:
    "Seconds to plan 1,000 steps over twenty notebooks, each a train template of its own."
    page, steps = template("train").read_text("utf-8"), []
    for at in range(20):
        changed = page.replace("weight_decay=0.02", f"weight_decay=0.0{at + 1}")
        (folder / f"train{at}.ipynb").write_text(changed)
    for at in range(1000):
        given = {"seed": at, "epochs": 1 + at % 7}
        steps.append(Step(f"step{at}", folder / f"train{at % 20}.ipynb", given))
    ws = open_workspace(folder / "planned")
    keep_version(folder, ws)
    return statistics.median(seconds(plan, ws, steps) for _ in range(rounds + 1))


def keep_version(folder: Path, ws) -> None:
    "A small signs@v1, which the steps name."
    from mlops_nb import data
    from mlops_nb.images.scenes import drives, write_crops

    write_crops(folder / "crops", drives(11, 12))
    data.ingest(ws, folder / "crops", "signs")
    data.split(ws, "signs")
    data.validate(ws, "signs")
    data.tag(ws, "signs", "v1")


def branches(folder: Path, executor: str, rounds: int) -> dict[str, float]:
    "Two steps of 8 s of work each: in sequence on this machine, side by side where the setting says."
    path = folder / "busy.ipynb"
    work = "import time\nwhile time.process_time() < seconds: pass"
    made = page(
        "n: int = 0\nseconds: float = 8.0", "import time\nseconds += time.process_time()", work
    )
    made.cells[0].metadata.tags = ["parameters"]
    path.write_text(json.dumps(made))
    steps = [Step(f"branch{n}", path, {"n": n}, cpus=1) for n in range(2)]
    here = open_workspace(folder / "sequence")
    there = open_workspace(folder / executor)
    there.settings["executor"] = executor
    place = place_of(there, 2)
    began = time.perf_counter()
    place.check(steps)
    print(f"{executor} is ready after {time.perf_counter() - began:.1f} s", flush=True)
    return alternately(
        rounds,
        sequence=lambda: run(here, steps, cpus=1, use_cache=False),
        beside=lambda: run(there, steps, cpus=2, use_cache=False),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--peers", help="a Python with kfp and metaflow, for --only chain")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    began = time.perf_counter()
    while ask()["cold"]:
        time.sleep(0.05)
    print(f"the template imported everything in {time.perf_counter() - began:.1f} s", flush=True)

    def wanted(name: str) -> bool:
        return not asked.only or name in asked.only

    if wanted("one-cell"):
        found = beside_papermill(folder, ("print(1)",), asked.rounds)
        told("one cell, papermill / ours", found, ">= 4", found["papermill"] / found["ours"])
    if wanted("heavy"):
        found = beside_papermill(folder, (HEAVY,), asked.rounds)
        told("imports of torch, mlflow, pandas", found, ">= 10", found["papermill"] / found["ours"])
    if wanted("cells"):
        cells = tuple(f"x = {n}" for n in range(200))
        found = beside_papermill(folder, cells, max(1, asked.rounds // 2))
        told("200 trivial cells", found, ">= 7", found["papermill"] / found["ours"])
    if wanted("fork"):
        times, sizes = zip(*(first_cell() for _ in range(asked.rounds + 1)), strict=True)
        took, size = statistics.median(times[1:]) * 1000, statistics.median(sizes[1:])
        print(
            f"fork to first cell {took:.0f} ms (asked < 250), adds {size:.0f} MB PSS (asked < 60)"
        )
    if wanted("price"):
        found = price(folder, asked.rounds)
        told("ours / bare nbclient, both warm", found, "<= 1.05", found["ours"] / found["nbclient"])
    if wanted("chain"):
        three_steps(folder, asked.peers, asked.rounds)
    if wanted("planning"):
        print(f"planning 1,000 steps {planning(folder, asked.rounds):.2f} s (asked < 2)")
    for executor, limit in (("local", 0.6), ("ray", 0.75)):
        if wanted(executor):
            found = branches(folder, executor, max(1, asked.rounds // 2))
            ratio = found["beside"] / found["sequence"]
            told(f"two branches, {executor} / in sequence", found, f"< {limit}", ratio)
    if wanted("cache"):
        ws, steps = open_workspace(folder / "workspace"), chain(folder, 10)
        whole = seconds(run, ws, steps)
        again = statistics.median(seconds(run, ws, steps) for _ in range(asked.rounds))
        changed = [
            *steps[:-1],
            Step("step9", steps[-1].notebook, steps[-1].parameters | {"extra": 1}),
        ]
        last = seconds(run, ws, changed)
        print(
            f"ten steps: run {whole:.2f} s, again {again:.2f} s (asked < 1), last changed {last:.2f} s"
        )


if __name__ == "__main__":
    main()

"""What the pipeline costs: over bare papermill on the same notebook, and what its cache saves.

    python benchmarks/pipeline.py [rounds]

Both sides start a real kernel and are measured alternately in one process, so that a busy machine
slows both alike; medians are printed, and the ratio is what counts.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import papermill
from nbformat import v4

from mlops_nb.pipeline import Output, Step, run
from mlops_nb.pipeline.plan import _own_code, environment_digest
from mlops_nb.workspace import open_workspace

EMIT = "from mlops_nb.pipeline import emit\n"


def write(path: Path, declared: str, code: str) -> Path:
    cell = v4.new_code_cell(declared)
    cell.metadata.tags = ["parameters"]
    page = v4.new_notebook(cells=[cell, v4.new_code_cell(code)])
    page.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path


def seconds(action, *arguments, **options) -> float:
    began = time.perf_counter()
    action(*arguments, **options)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    folder = Path(tempfile.mkdtemp())
    ws = open_workspace(folder / "workspace")
    trivial = write(folder / "trivial.ipynb", "n: int = 1", "print(n)")
    bare, ours = [], []
    for n in range(rounds + 1):  # the first round imports both sides and is left out
        out = str(folder / "bare.ipynb")
        options = {"parameters": {"n": n}, "progress_bar": False}
        bare.append(seconds(papermill.execute_notebook, str(trivial), out, **options))
        ours.append(seconds(run, ws, [Step("trivial", trivial, {"n": n})]))
    one, two = statistics.median(bare[1:]), statistics.median(ours[1:])
    print(f"trivial notebook, {rounds} rounds: bare papermill {one:.2f} s, as a step {two:.2f} s")
    print(f"ratio {two / one:.2f} (checked, keyed, kept, recorded in the ledger)")

    first = write(folder / "first.ipynb", "n: int = 1", EMIT + "emit(m=n + 1)")
    second = write(folder / "second.ipynb", "m: int", EMIT + "emit(k=m + 1)")
    third = write(folder / "third.ipynb", "k: int", EMIT + "emit(ok=True)")
    plan = [
        Step("first", first),
        Step("second", second, {"m": Output("first", "m")}),
        Step("third", third, {"k": Output("second", "k")}),
    ]
    running = seconds(run, ws, plan)
    cached = statistics.median(seconds(run, ws, plan) for _ in range(rounds))
    print(f"three steps: run {running:.2f} s, again {cached * 1000:.0f} ms")
    print(f"ratio {running / cached:.0f}")
    code = statistics.median(seconds(_own_code, folder, [EMIT]) for _ in range(rounds))
    environment = statistics.median(seconds(environment_digest) for _ in range(rounds))
    print(f"of a key: source files {code * 1000:.0f} ms, environment {environment * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)

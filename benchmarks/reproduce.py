"""The demo's training run done again in an environment of its own: what it takes, and what comes out.

    python benchmarks/reproduce.py [--workspace DIR] [--into DIR]

Without a workspace the demo is played first. The run is done again twice; the second environment finds
its packages in uv's cache, which is what anybody but the first person of a machine meets.
"""

import argparse
import tempfile
import time
from pathlib import Path

from mlops_nb import demo, open_workspace, reproduce
from mlops_nb.ledger import acts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--into", type=Path, default=Path(tempfile.mkdtemp()))
    asked = parser.parse_args()
    ws = open_workspace(asked.workspace or asked.into / "workspace")
    if not asked.workspace:
        demo(ws)
    trained = next(a for a in acts(ws, verb="run") if a.facts["step"] == "train")
    for n in range(2):
        began = time.perf_counter()
        verdict = reproduce(ws, trained.facts["run"], into=asked.into / f"again{n}")
        took = time.perf_counter() - began
        print(verdict, flush=True)
        rest = took - verdict.environment_s
        print(
            f"{took:.1f} s in all, {verdict.environment_s:.1f} s of it the environment; the rest is "
            f"{rest / verdict.seconds_then:.2f} of the original step's {verdict.seconds_then:.1f} s (asked 1.5)",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Every figure that was asked of room data in one run, beside its peer or its limit, met or not.

Each part is a script of its own (`--only` names it) and runs in a process of its own, ours and the
peer in turn. A part that outlives its limit is ended, said to be so, and costs the others nothing.
Peers live in environments of their own; without one its line is missing.

    python benchmarks/data.py                                   # full sizes
    python benchmarks/data.py --scale 0.02 --only rows,loading  # a fiftieth of everything
    python benchmarks/data.py --dvc PATH/dvc --cleanvision PATH/python --coco PATH/python
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from measuring import VERDICT

HERE = Path(__file__).resolve().parent


def of(n: int, scale: float, least: int) -> str:
    "A size as a word of a command."
    return str(max(least, int(n * scale)))


def parts(asked) -> dict[str, tuple[int, list[str]]]:
    "Seconds each part may take, its script and its words."
    scale, rounds = asked.scale, ["--rounds", str(asked.rounds)]
    sizes = [of(n, scale, 1000) for n in (10_000, 100_000, 1_000_000)]
    folders = ["--small", of(20_000, scale, 100), "--large", of(400, scale, 20)]
    return {
        "rows": (1200, ["data_versions.py", "--small", "0", "--large", "0",
                        "--rows", *dict.fromkeys(sizes)]),
        "files": (2400, ["data_versions.py", "--rows", *folders, "--rounds", str(asked.rounds),
                         *peer("--dvc", asked.dvc)]),
        "many": (2400, ["data_versions.py", "--rows", "--small", "0", "--large", "0",
                        "--many", of(200_000, scale, 2000)]),
        "checks": (2400, ["data_checks.py", "--planted", of(5000, scale, 500), *rounds,
                          *peer("--cleanvision", asked.cleanvision)]),
        "loading": (900, ["data_loading.py", "--images", of(1024, scale, 128), *rounds]),
        "formats": (900, ["data_formats.py", "--megabytes", of(300, scale, 5), *rounds,
                          *peer("--peer-python", asked.coco)]),
        "drives": (900, ["data_drives.py", of(200_000, scale, 2000)]),
        "selection": (2400, ["selection.py", "--data", str(asked.data), "--scale", str(scale)]),
    }  # fmt: skip


def peer(flag: str, command: str | None) -> list[str]:
    "The words that name a peer's environment, if there is one."
    return [flag, command] if command else []


def end(script: subprocess.Popen) -> None:
    "Kill a part and everything it started."
    os.killpg(script.pid, signal.SIGKILL)


def run(
    limit: float, command: list[str]
) -> tuple[list[str], str]:  # lines of figures; how it ended
    "Run a script, show what it says, and keep its figures."
    script = subprocess.Popen([sys.executable, str(HERE / command[0]), *command[1:]], text=True,
                              stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
    late, figures = threading.Timer(limit, end, [script]), []
    late.start()
    for line in script.stdout:
        print(" ", line, end="", flush=True)
        if line.split(" ")[0] in VERDICT.values():
            figures.append(line.rstrip())
    code = script.wait()
    late.cancel()
    killed = code == -signal.SIGKILL
    return (
        figures,
        f"killed ({limit:g} s allowed)" if killed else f"failed ({code})" if code else "whole",
    )


def main() -> int:
    "Run the parts, print what was asked beside what was measured."
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of every size; 1: as asked")
    parser.add_argument("--only", help="parts, separated by commas; default: all")
    parser.add_argument("--limit", type=float, help="seconds a part may take; default: its own")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / "shared" / "data")
    parser.add_argument("--dvc", help="the dvc command of another environment")
    parser.add_argument("--cleanvision", help="a Python that has cleanvision")
    parser.add_argument("--coco", help="a Python that has pycocotools")
    asked = parser.parse_args()
    there, figures, endings = parts(asked), [], {}
    names = asked.only.split(",") if asked.only else list(there)
    if unknown := set(names) - set(there):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    for name in names:
        limit, command = there[name]
        print(f"\n{name}: {' '.join(command)}", flush=True)
        start = time.perf_counter()
        found, ending = run(asked.limit or limit, command)
        figures += found
        endings[name] = f"{ending}, {time.perf_counter() - start:.0f} s"
    print(f"\nAsked and measured (scale {asked.scale:g}; the figures were asked at scale 1)")
    print(*figures, sep="\n")
    print(*(f"{name}: {said}" for name, said in endings.items()), sep="\n")
    missed = any(line.startswith(VERDICT[False]) for line in figures)
    return int(missed or any(not said.startswith("whole") for said in endings.values()))


if __name__ == "__main__":
    sys.exit(main())

"""What the scripts of this folder share: a clock, the least that any store must do, a verdict."""

import hashlib
import time
from pathlib import Path


def timed(work) -> float:
    "Seconds that a call takes."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hash_and_copy(folder: Path, target: Path, pattern: str = "*.jpg"):
    "Read every file, hash it, write it elsewhere: no versions, no table, no commit."
    target.mkdir()
    for path in sorted(folder.rglob(pattern)):
        data = path.read_bytes()
        (target / hashlib.sha256(data).hexdigest()).write_bytes(data)


def figure(
    what: str,  # what was measured, of how much
    ours: float,  # in `unit`
    peer: float | None = None,  # the same of a peer or of a limit; None: the figure stands alone
    *,
    least: float | None = None,  # asked: the peer takes at least so many times as much
    most: float | None = None,  # asked: ours takes at most so many times as much, or so much
    unit: str = "",
) -> bool:  # met?
    "Print one line: ours, the peer's, the ratio, what was asked, and whether it is met."
    value = ours if peer is None else peer / ours if most is None else ours / peer
    met = value >= least if most is None else value <= most
    bound = f"<= {most:g}" if most is not None else f">= {least:g}"
    beside = " " * 33 if peer is None else f"peer {peer:9.3f} {unit:4} ratio {value:6.2f}"
    print(f"{'met   ' if met else 'MISSED'} {what:50} {ours:9.3f} {unit:4} {beside} asked {bound}",
          flush=True)  # fmt: skip
    return met

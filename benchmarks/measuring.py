"""What the scripts of this folder share: a clock, the least any store must do, frames, a verdict."""

import hashlib
import time
from pathlib import Path

import numpy as np

VERDICT = {True: "met", False: "MISSED", None: "told"}  # told: no figure was asked


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
):
    "Print one line: met or not, ours, the peer's, the ratio, and what was asked."
    value = ours if peer is None else peer / ours if least is not None else ours / peer
    met = value >= least if least is not None else value <= most if most is not None else None
    bound = f">= {least:g}" if least is not None else f"<= {most:g}" if most is not None else "-"
    beside = "" if peer is None else f"peer {peer:9.3f} {unit:4} ratio {value:7.3f}"
    print(f"{VERDICT[met]:6} {what:48} {ours:9.3f} {unit:4} {beside:34} asked {bound}",
          flush=True)  # fmt: skip


def write_frames(folder: Path, n: int, size: tuple[int, int], source: Path | None = None):
    "JPEGs of one size in four class folders: rendered frames, or photographs of a folder."
    from mlops_nb.images.pixels import decode, encode, resize
    from mlops_nb.images.scenes import drive

    if source:
        paths = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        photos = [decode(path.read_bytes()) for path in paths[:128]]
    else:
        photos = [frame.image for k in range(8) for frame in drive(k, size=(480, 640))]
    for k in range(n):
        image = np.roll(resize(photos[k % len(photos)], size), 37 * (k // len(photos)), axis=1)
        path = folder / f"class{k % 4}" / f"{k:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, "jpeg", quality=90))


def write_events(ws, run: str, step: str, *, per_second: int, seconds: int) -> tuple[int, float]:
    "Cells of a step told as a runner tells them, at an even pace; how many, and in how long (s)."
    from mlops_nb.pipeline.runs import tell

    began, n = time.perf_counter(), per_second * seconds
    for k in range(1, n + 1):
        tell(ws, run, "step", step=step, status="running", cells=k, of=n, seconds=1.0,
             error=None, made_by=None)  # fmt: skip
        time.sleep(max(0.0, began + k / per_second - time.perf_counter()))
    return n, time.perf_counter() - began

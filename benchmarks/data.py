"""What the room data costs beside the least that any tool must do; prints ratios.

Ingest is measured beside hashing and copying the same files, validate beside decoding the same
images in the same threads. Each is the median of several rounds, alternating, in one process.

    python benchmarks/data.py [--drives 250] [--rounds 5]
"""

import argparse
import shutil
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import hash_and_copy, timed

from mlops_nb.data import ingest, resolve, split, tag, validate
from mlops_nb.images.pixels import decode, quality
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.workspace import open_workspace


def decode_all(files: list[bytes], *, measure: bool):
    "Decode in threads, with or without measuring."
    work = (lambda data: quality(decode(data))) if measure else decode
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(work, files):
            pass


def one_round(folder: Path, files: list[bytes]) -> dict[str, float]:
    "Every measurement once, in a fresh place."
    place = Path(tempfile.mkdtemp())
    ws, seconds = open_workspace(place / "ws"), {}
    seconds["hash and copy"] = timed(lambda: hash_and_copy(folder, place / "copy", "*.png"))
    seconds["ingest + commit"] = timed(lambda: ingest(ws, folder, "signs"))
    seconds["ingest again"] = timed(lambda: ingest(ws, folder, "signs"))
    seconds["split"] = timed(lambda: split(ws, "signs"))
    seconds["decode only"] = timed(lambda: decode_all(files, measure=False))
    seconds["decode + measure"] = timed(lambda: decode_all(files, measure=True))
    seconds["validate"] = timed(lambda: validate(ws, "signs"))
    seconds["validate again"] = timed(lambda: validate(ws, "signs"))
    seconds["tag"] = timed(lambda: tag(ws, "signs", "v1"))
    assert resolve(ws, "signs@v1").rows > 0.9 * len(files)
    shutil.rmtree(place)
    return seconds


def main():
    "Render, measure, print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drives", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(), "crops")
    write_crops(folder, drives(0, asked.drives))
    files = [path.read_bytes() for path in sorted(folder.rglob("*.png"))]
    print(f"{len(files):,} crops, {sum(map(len, files)) / 1e6:.1f} MB")
    rounds = [one_round(folder, files) for _ in range(asked.rounds)]
    median = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
    for name, seconds in median.items():
        print(f"{name:18} {seconds:7.3f} s   {seconds / len(files) * 1e6:8.1f} us per image")
    print(f"ingest / hash and copy   {median['ingest + commit'] / median['hash and copy']:.2f}")
    print(f"validate / decode only   {median['validate'] / median['decode only']:.2f}")
    print(f"validate / measuring     {median['validate'] / median['decode + measure']:.2f}")
    shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()

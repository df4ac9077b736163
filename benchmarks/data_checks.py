"""Image checks beside decoding alone and beside CleanVision; planted faults. A B A B in one run.

python benchmarks/data_checks.py FOLDER_OF_JPEGS [--cleanvision PYTHON] [--planted 5000]
"""

import argparse
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from planted import planted

from mlops_nb.data import Contract, check
from mlops_nb.data.measuring import measure
from mlops_nb.images.pixels import image_id

CLEANVISION = """
import sys, time
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
start = time.perf_counter()
lab.find_issues(n_jobs=2, verbose=False)
print(time.perf_counter() - start)
"""


def timed(work) -> float:
    "Seconds that a call takes."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def fastest(data: bytes):
    "OpenCV with libjpeg-turbo."
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def all_over(work, things: list):
    "In two threads, as the cores are."
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, things))


def main():
    "Measure and print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cleanvision", help="a Python that has cleanvision")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--planted", type=int, default=5000)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    files = [path.read_bytes() for path in sorted(asked.folder.rglob("*.jpg"))]
    rows = [{"image": data, "image_id": image_id(data)} for data in files]
    decode, ours, theirs = [], [], []
    for _ in range(asked.rounds):
        decode.append(timed(lambda: all_over(fastest, files)))
        ours.append(timed(lambda: all_over(measure, rows)))
        if asked.cleanvision:
            command = [asked.cleanvision, "-c", CLEANVISION, str(asked.folder)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            theirs.append(float(out.stdout.split()[-1]))
    print(f"{len(files)} images; medians of {asked.rounds} rounds, interleaved")
    d, o = statistics.median(decode), statistics.median(ours)
    print(f"decode only {d:.3f} s, decode + hash + measure {o:.3f} s: {d / o:.2f} of the speed")
    if theirs:
        t = statistics.median(theirs)
        print(f"CleanVision {t:.3f} s: ours is {t / o:.1f} times as fast")
    samples, wanted = planted(asked.planted)
    start = time.perf_counter()
    found = check(samples, Contract())
    seconds = time.perf_counter() - start
    missed = {name: len(sources - {f.source for f in found if f.check == name})
              for name, sources in wanted.items()}  # fmt: skip
    faulty = set().union(*wanted.values())
    blamed = {f.source for f in found if f.sample_id} - faulty
    print(f"planted {sum(map(len, wanted.values()))} faults of {len(wanted)} kinds among "
          f"{len(samples)}: missed {sum(missed.values())}, clean frames blamed {len(blamed)} "
          f"({len(blamed) / (len(samples) - len(faulty)):.2%}); all checks {seconds:.1f} s")  # fmt: skip


if __name__ == "__main__":
    main()

"""Image checks beside decoding alone, CleanVision and DataEval; planted faults; false findings.

python benchmarks/data_checks.py [FOLDER_OF_JPEGS] [--cleanvision PYTHON] [--dataeval PYTHON]
    [--planted 5000] [--real FOLDER_OF_DATA_SETS]

Decoding and measuring take turns every 16 images, in seconds of the processor: the ratio stays the
same when other programs run beside.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from measuring import figure, write_frames

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from planted import planted, sample

from mlops_nb.data import Contract, check
from mlops_nb.data.measuring import measure
from mlops_nb.images.pixels import image_id

CLEANVISION = """
import sys, time
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
asked = {"odd_size": {}, "odd_aspect_ratio": {}, "dark": {}, "light": {}, "blurry": {},
         "low_information": {}, "grayscale": {}, "exact_duplicates": {}, "near_duplicates": {}}
start = time.process_time()
lab.find_issues(asked, n_jobs=1, verbose=False)
print(time.process_time() - start)
"""  # A4 to A9, B1 and B2; ours has these and more
DATAEVAL = """
import json, sys, time
import cv2, numpy as np
from dataeval.flags import ImageStats
from dataeval.quality import Duplicates, Outliers
class Images:
    def __init__(self, names): self.names = names
    def __len__(self): return len(self.names)
    def __getitem__(self, k): return np.ascontiguousarray(cv2.imread(self.names[k], cv2.IMREAD_COLOR_RGB).transpose(2, 0, 1))
names = [n for n in json.load(open(sys.argv[1])) if cv2.imread(n) is not None]
start = time.process_time()
copies = Duplicates(flags=ImageStats.HASH_DUPLICATES_D4).evaluate(Images(names)).data()
odd = Outliers().evaluate(Images(names)).data()
seconds = time.process_time() - start
print(json.dumps([seconds, [names[i] for r in copies.to_dicts() for i in r["item_indices"]],
                  [names[r["item_index"]] for r in odd.to_dicts()]]))
"""


def fastest(data: bytes):
    "OpenCV with libjpeg-turbo."
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def spent(work, things: list) -> float:
    "Seconds of the processor that a call of each thing takes."
    start = time.process_time()
    for thing in things:
        work(thing)
    return time.process_time() - start


def speed(folder: Path, rounds: int, cleanvision: str | None) -> None:
    "How much slower are all measures than decoding alone?"
    files = [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]
    rows = [{"image": data, "image_id": image_id(data)} for data in files]
    decode, ours, theirs = [], [], []
    for _ in range(rounds):
        pairs = [(spent(fastest, files[k : k + 16]), spent(measure, rows[k : k + 16]))
                 for k in range(0, len(files), 16)]  # fmt: skip
        decode.append(sum(one for one, _ in pairs))
        ours.append(sum(two for _, two in pairs))
        if cleanvision:
            command = [cleanvision, "-c", CLEANVISION, str(folder)]
            out = subprocess.run(command, capture_output=True, text=True, check=True)
            theirs.append(float(out.stdout.split()[-1]))
    d, o = statistics.median(decode), statistics.median(ours)
    print(
        f"{len(files)} images, {rounds} rounds, seconds of the processor; ours: decode, hash, measure"
    )
    figure("image checks beside decoding alone", o, d, least=0.6, unit="s")
    if theirs:
        t = statistics.median(theirs)
        figure("all checks beside CleanVision's A4 to A9, B1, B2", o, t, least=3, unit="s")


def faults(n: int, dataeval: str | None) -> None:
    "Are planted faults found, and good frames left alone?"
    with TemporaryDirectory() as folder:

        def save(name: str, data: bytes) -> None:
            Path(folder, name.replace("/", "_")).write_bytes(data)

        samples, wanted = planted(n, save=save if dataeval else None)
        start = time.process_time()
        found = check(samples, Contract())
        seconds = time.process_time() - start
        missed = {c: len(names - {f.source for f in found if f.check == c})
                  for c, names in wanted.items()}  # fmt: skip
        faulty = set().union(*wanted.values())
        blamed = {f.source for f in found if f.sample_id} - faulty
        good = len(samples) - len(faulty)
        print(f"planted {sum(map(len, wanted.values()))} faults of {len(wanted)} kinds in "
              f"{len(samples)} frames: missed {sum(missed.values())} "
              f"{[c for c, k in missed.items() if k]}, good frames blamed {len(blamed)} "
              f"({len(blamed) / good:.2%}); checks {seconds:.1f} s of CPU after measuring")  # fmt: skip
        figure(
            f"faults missed of {sum(map(len, wanted.values()))} planted",
            sum(missed.values()),
            most=0,
        )
        figure(f"share of {good} good frames blamed", len(blamed) / good, most=0.005)
        if dataeval:
            beside(dataeval, Path(folder), wanted)


def beside(python: str, folder: Path, wanted: dict[str, set[str]]) -> None:
    "What DataEval says of the same files."
    names = sorted(str(path) for path in folder.iterdir())
    listed = folder / "names.json"
    listed.write_text(json.dumps(names))
    out = subprocess.run([python, "-c", DATAEVAL, str(listed)], capture_output=True, text=True,
                         check=True)  # fmt: skip
    seconds, copies, odd = json.loads(out.stdout.splitlines()[-1])
    spelt = {check: {str(folder / one.removeprefix("cam/").replace("/", "_")) for one in sources}
             for check, sources in wanted.items()}  # fmt: skip
    faulty = set().union(*spelt.values())
    for what, said, asked in (("Duplicates", set(copies), ("B3", "B8", "A12")),
                              ("Outliers", set(odd), [c for c in wanted if c[0] == "A"])):  # fmt: skip
        hits = " ".join(f"{c} {len(spelt[c] & said)}/{len(spelt[c])}" for c in asked)
        print(f"DataEval {what}: {hits}; names {len(said - faulty)} others")
    print(f"DataEval {seconds:.1f} s of CPU, decoding included")


REAL = {"ceit-weather": "Video*/**/*", "coco128-train": "images/**/*", "kitti-mini": "**/image_2/*",
        "road-signs-voc": "images/*", "otonom-coco": "valid/*",
        "gtsrb": "Online_Training_original_size/*/*"}  # fmt: skip


def real(root: Path, most: int = 600) -> None:
    "What the checks of single frames say of real ones: rain, fog, night, crops of signs."
    for name, pattern in REAL.items():
        kept = [
            p for p in sorted((root / name).glob(pattern)) if p.suffix in (".jpg", ".png", ".ppm")
        ]
        kept = kept[:: max(1, len(kept) // most)]
        rows = [sample(str(path), path.read_bytes(), sensor=name) for path in kept]
        found = check(rows, Contract())
        said = Counter(f.check for f in found if f.sample_id and f.check[0] == "A")
        named = {f.source for f in found if f.sample_id and f.check in said}
        print(f"{name}: {len(named)} of {len(rows)} real frames named {dict(said)}")


def main():
    "Measure and print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="default: 400 rendered frames")
    parser.add_argument("--cleanvision", help="a Python that has cleanvision")
    parser.add_argument("--dataeval", help="a Python that has dataeval and opencv")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--planted", type=int, default=5000)
    parser.add_argument("--real", type=Path, help="folder of the real data sets")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    with TemporaryDirectory() as place:
        if not asked.folder:
            write_frames(Path(place), 400, (480, 640))
        speed(asked.folder or Path(place), asked.rounds, asked.cleanvision)
    faults(asked.planted, asked.dataeval)
    if asked.real:
        real(asked.real)


if __name__ == "__main__":
    main()

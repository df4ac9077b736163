"""How much time and memory a COCO label file takes, beside pycocotools and faster-coco-eval, or
beside json.load and an index. Each run is a process of its own, A B C A B C.

    python benchmarks/data_formats.py --megabytes 300
    python benchmarks/data_formats.py --peer-python OTHER/bin/python   # has both peers
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import figure

OURS = """
from mlops_nb.data.formats import read_folder
n = boxes = 0
for one in read_folder(sys.argv[1], format="coco"):
    n, boxes = n + 1, boxes + len(getattr(one, "boxes", ()))
"""
COCO = """
import contextlib, io
with contextlib.redirect_stdout(io.StringIO()):
    from MODULE import COCO
    coco = COCO(sys.argv[1] + "/labels.json")
n, boxes = len(coco.imgs), sum(len(coco.imgToAnns[k]) for k in coco.imgs)
"""
BARE = """
said = json.load(open(sys.argv[1] + "/labels.json"))
own = {}
for mark in said["annotations"]:
    own.setdefault(mark["image_id"], []).append(mark)
n, boxes = len(said["images"]), len(said["annotations"])
"""
PEERS = {
    "pycocotools": COCO.replace("MODULE", "pycocotools.coco"),
    "faster-coco-eval": COCO.replace("MODULE", "faster_coco_eval"),
    "json.load and an index": BARE,
}
REPORT = """
import json, resource, sys, time
begun = time.perf_counter()
BODY
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([n, boxes, time.perf_counter() - begun, peak]))
"""


def write(root: Path, size: int, images: int = 500) -> None:
    "A label file of so many bytes; its annotations come before its images, in no order."
    rng, n = np.random.default_rng(0), 0
    for k in range(images):
        (root / f"{k}.jpg").write_bytes(b"x")
    with (root / "labels.json").open("w") as out:
        out.write('{"annotations":[')
        while out.tell() < size:
            polygon = (rng.integers(0, 90_000, 20) / 100).tolist()
            mark = {"id": n, "image_id": int(rng.integers(images)), "category_id": 1, "iscrowd": 0}
            mark |= {"bbox": [1, 2, 3.5, 4.25], "area": 14.875, "segmentation": [polygon]}
            out.write(("," if n else "") + json.dumps(mark))
            n += 1
        entries = [{"id": k, "file_name": f"{k}.jpg"} for k in range(images)]
        out.write(f'],"images":{json.dumps(entries)},"categories":[{{"id":1,"name":"car"}}]}}')


def run(python: str, body: str, root: Path) -> list:
    code = [python, "-c", REPORT.replace("BODY", body), str(root)]
    return json.loads(subprocess.run(code, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--peer-python", help="has pycocotools and faster-coco-eval")
    given = parser.parse_args()
    peers = list(PEERS)[:2] if given.peer_python else list(PEERS)[2:]
    with tempfile.TemporaryDirectory() as home:
        root = Path(home)
        write(root, given.megabytes * 1_000_000)
        runs: dict[str, list] = {who: [] for who in ("ours", *peers)}
        for _ in range(given.rounds):
            runs["ours"].append(run(sys.executable, OURS, root))
            for who in peers:
                runs[who].append(run(given.peer_python or sys.executable, PEERS[who], root))
    assert all(one[:2] == runs["ours"][0][:2] for some in runs.values() for one in some)
    best = {who: [min(one[k] for one in some) for k in (2, 3)] for who, some in runs.items()}
    print(f"{given.megabytes} MB, {runs['ours'][0][1]:,} boxes, best of {given.rounds}, in turn")
    for who, (seconds, peak) in best.items():
        print(f"  {who}: {seconds:6.1f} s, peak {peak:6.0f} MiB")
    for who in peers:
        what = f"label file of {given.megabytes} MB, {who}"
        figure(f"{what}: time", best["ours"][0], best[who][0], unit="s")
        figure(f"{what}: memory", best["ours"][1], best[who][1], unit="MiB")


if __name__ == "__main__":
    main()

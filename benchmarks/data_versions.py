"""Versions beside their peers, A B A B in one process: dvc, hashing and copying; and how cost grows.

python benchmarks/data_versions.py                    # growth table and ingest, default sizes
python benchmarks/data_versions.py --dvc PATH/TO/dvc  # beside `dvc add`, from a venv of its own
python benchmarks/data_versions.py --rows --small 0 --large 0 --many 200000  # memory of a large import
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from measuring import figure, hash_and_copy, timed
from PIL import Image

from mlops_nb.data import diff, fork, ingest, merge, read, resolve, split
from mlops_nb.data.leaves import SCHEMA, leaf_of
from mlops_nb.data.store import append_rows, open_table, update_rows, writing
from mlops_nb.workspace import open_workspace

# Rows without pixels


def synthetic(start: int, n: int):
    "Batches of rows whose hashes are made up: 50 frames a drive, three classes."
    for low in range(start, start + n, 50_000):
        ids = range(low, min(low + 50_000, start + n))
        hashes = [hashlib.sha256(str(k).encode()).hexdigest() for k in ids]
        columns = {name: pa.nulls(len(ids), SCHEMA.field(name).type) for name in SCHEMA.names}
        columns["sample_id"] = pa.array([f"smp:{one}" for one in hashes])
        columns["image_id"] = pa.array([f"img:{one}" for one in hashes])
        columns["source"] = pa.array([f"synthetic/{k}.png" for k in ids])
        columns["label"] = pa.array([("stop", "yield", "no_entry")[k % 3] for k in ids])
        columns["drive"] = pa.array([f"drive-{k // 50}" for k in ids])
        columns["weather"] = pa.array([("clear", "rain", "snow")[k // 50 % 3] for k in ids])
        columns["content"] = pa.array(hashes)
        columns["leaf"] = pa.array([leaf_of(one, None) for one in hashes])
        columns["boxes"] = pa.array([[]] * len(ids), SCHEMA.field("boxes").type)
        facts = pa.array(["{}"] * len(ids), pa.string())
        columns["facts"] = pa.ExtensionArray.from_storage(SCHEMA.field("facts").type, facts)
        yield pa.RecordBatch.from_arrays([columns[n] for n in SCHEMA.names], schema=SCHEMA)


def few_rows(table: pa.Table) -> pa.Table:
    "Another label, and so another content and leaf, for each of some samples."
    leaves = [leaf_of("0" * 63 + str(k % 10), str(k)) for k in range(len(table))]
    return pa.table({"sample_id": table["sample_id"], "label": ["mended"] * len(table),
                     "content": ["0" * 64] * len(table), "leaf": leaves})  # fmt: skip


def added(ws, reference: str, start: int, n: int):
    "Commit n made-up rows."
    with writing(ws, "big"):
        append_rows(ws, reference, synthetic(start, n))


SNOW = "weather = 'snow' and label = 'stop'"
VERBS = {  # in this order, each in a process of its own: (what is not measured, what is)
    "append": (None, lambda ws, n, _: added(ws, "big", 0, n)),
    "resolve": (None, lambda ws, n, _: resolve(ws, "big")),
    "tag": (None, lambda ws, n, _: open_table(ws, "big").tags.create("v1", 1)),
    "fork": (None, lambda ws, n, _: fork(ws, "big", "night")),
    "split": (None, lambda ws, n, _: split(ws, "big@night")),
    "split, stratified": (
        lambda ws, n: fork(ws, "big", "strata"),
        lambda ws, n, _: split(ws, "big@strata", stratify="label"),
    ),
    "query": (None, lambda ws, n, _: read(ws, "big", where=SNOW, columns=["sample_id"])),
    "update 1 %": (
        lambda ws, n: few_rows(read(ws, "big", columns=["sample_id"]).slice(0, n // 100)),
        lambda ws, n, few: update_rows(ws, "big", few),
    ),
    "diff, 1 % changed": (None, lambda ws, n, _: diff(ws, "big@v1", "big")),
    "diff, all splits changed": (None, lambda ws, n, _: diff(ws, "big", "big@night")),
    "append 1 % on a branch": (
        lambda ws, n: fork(ws, "big", "few"),
        lambda ws, n, _: added(ws, "big@few", n, n // 100),
    ),
    "merge 1 % new": (None, lambda ws, n, _: merge(ws, "big@few", into="big")),
}
ASKED = ("tag", "fork", "split", "split, stratified", "query", "diff, 1 % changed",
         "diff, all splits changed")  # fmt: skip


def high_water() -> float:
    "The most memory this process ever held, in GiB (ru_maxrss would remember the parent's)."
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 2**20


def one_verb(name: str, root: str, n: int) -> None:
    "Run a verb here; print seconds, seconds of the processor, memory before and at most (GiB)."
    with tempfile.TemporaryDirectory() as small:  # a walk over few rows pays for the imports
        for prepare, verb in VERBS.values():
            ws = open_workspace(small)
            verb(ws, 1000, prepare and prepare(ws, 1000))
    ws, (prepare, verb) = open_workspace(root), VERBS[name]
    ready, before, cpu = prepare and prepare(ws, n), high_water(), time.process_time()
    seconds = timed(lambda: verb(ws, n, ready))
    print(json.dumps([seconds, time.process_time() - cpu, before, high_water()]))


def growth(n: int) -> dict[str, list[float]]:
    "Every verb once on n rows, each in a process of its own."
    root, found = tempfile.mkdtemp(), {}
    for name in VERBS:
        code = [sys.executable, __file__, "--verb", name, "--at", root, "--rows", str(n)]
        said = subprocess.run(code, check=True, stdout=subprocess.PIPE, text=True).stdout
        found[name] = json.loads(said.splitlines()[-1])
    shutil.rmtree(root)
    return found


def rows_without_pixels(sizes: list[int]) -> None:
    "How cost and memory grow with the number of rows; the largest beside what was asked."
    table = {n: growth(n) for n in sizes}
    print("seconds / seconds of the processor / most memory in GiB; each verb a process of its own")
    for name in VERBS:
        cells = ("{0:8.3f} /{1:7.2f} /{3:5.2f}".format(*table[n][name]) for n in sizes)
        print(f"{name:24}", *(f"{n:,} rows {c}  " for n, c in zip(sizes, cells, strict=True)))
    most = sizes[-1]
    for name in ASKED:
        figure(f"{most:,} rows: {name}", table[most][name][0], most=5, unit="s")
        figure(f"{most:,} rows: {name}, memory", table[most][name][3], most=2, unit="GiB")


# Folders beside peers


def folder_of(n: int, size: int) -> Path:
    "n files of about size bytes that look like JPEG."
    root, rng = Path(tempfile.mkdtemp(), "images"), np.random.default_rng(0)
    for k in range(n):
        path = root / f"class{k % 20}" / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8\xff\xe0" + rng.bytes(size))
    return root


def limits(folder: Path) -> dict[str, float]:
    "Seconds for what no tool can leave out, each alone: look at, open, hash and write these bytes."
    files = [str(path) for path in sorted(folder.rglob("*.jpg"))]
    target, seconds = Path(tempfile.mkdtemp(), "one"), {}

    def bytes_of(path: str) -> bytes:
        with open(path, "rb", buffering=0) as file:
            return file.read()

    def written():
        with target.open("wb", buffering=0) as out:
            for path in files:
                out.write(bytes_of(path))

    def hashed(path: str) -> bytes:
        return hashlib.sha256(bytes_of(path)).digest()

    def in_threads():
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(lambda k: [hashed(path) for path in files[k : k + 100]],
                              range(0, len(files), 100)):  # fmt: skip
                pass

    seconds["limit: stat"] = timed(lambda: [os.stat(path) for path in files])
    seconds["limit: open, read"] = timed(lambda: [len(bytes_of(path)) for path in files])
    seconds["limit: read, SHA-256"] = timed(lambda: [hashed(path) for path in files])
    seconds["limit: the same, 2 threads"] = timed(in_threads)
    seconds["limit: read, write 1 file"] = timed(written)
    shutil.rmtree(target.parent)
    return seconds


MANY = """
import resource, sys, time
from mlops_nb.data import ingest
from mlops_nb.workspace import open_workspace
begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
done = ingest(open_workspace(sys.argv[1]), sys.argv[2], "many")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{done.added:,} images: {time.perf_counter() - begun:.1f} s, "
      f"{before / 2**20:.2f} GiB before the first image, most memory in GiB:", peak / 2**20)
"""


def tiny(n: int, root: Path) -> Path:
    "n JPEGs of a few hundred bytes that all decode and all differ, 2,000 a folder."
    rng, pictures = np.random.default_rng(0), []
    for _ in range(64):
        out = io.BytesIO()
        pixels = rng.integers(0, 255, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(out, "JPEG", quality=60, optimize=True)
        pictures.append(out.getvalue())
    for k in range(n):
        path = root / f"class{k // 2000}" / f"{k}.jpg"
        if k % 2000 == 0:
            path.parent.mkdir(parents=True)
        remark = f"{k:08d}".encode()
        head, rest = pictures[k % 64][:2], pictures[k % 64][2:]
        path.write_bytes(head + b"\xff\xfe\x00\x0a" + remark + rest)  # a comment of eight digits
    return root


def many(n: int):
    "What an import of n images costs in a process of its own."
    place = Path(tempfile.mkdtemp())
    folder = tiny(n, place / "images")
    code = [sys.executable, "-c", MANY, str(place / "ws"), str(folder)]
    for what in ("first", "again"):
        said = subprocess.run(code, check=True, capture_output=True, text=True).stdout.strip()
        print(f"{what}: {said}")
        figure(f"{n:,} images, {what}: memory", float(said.split()[-1]), most=2, unit="GiB")
    shutil.rmtree(place)


def dvc_repository(dvc: str, folder: Path) -> Path:
    "An empty dvc repository with the folder in it; its cache links nothing."
    home = Path(tempfile.mkdtemp())
    subprocess.run([dvc, "init", "--no-scm", "-q"], cwd=home, check=True)
    subprocess.run([dvc, "config", "cache.type", "copy"], cwd=home, check=True)
    shutil.copytree(folder, home / "images")
    return home


def bytes_below(path: Path) -> int:
    "Size of all files below a folder."
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())


def beside(folder: Path, dvc: str | None) -> dict[str, float]:
    "One round on a fresh place."
    place, seconds = Path(tempfile.mkdtemp()), {}
    ws = open_workspace(place / "ws")
    seconds |= limits(folder)
    seconds["hash and copy"] = timed(lambda: hash_and_copy(folder, place / "copy"))
    seconds["ingest + commit"] = timed(lambda: ingest(ws, folder, "signs"))
    before = bytes_below(ws.root)
    files = sorted(folder.rglob("*.jpg"))
    for path in files[::100]:
        path.write_bytes(path.read_bytes()[:-1] + os.urandom(1))
    time.sleep(2.5)  # a file younger than two seconds is never trusted
    seconds["second, 1 % changed"] = timed(lambda: ingest(ws, folder, "signs"))
    seconds["extra bytes, share"] = bytes_below(ws.root) / before - 1
    seconds["third, nothing changed"] = timed(lambda: ingest(ws, folder, "signs"))
    seconds["diff"] = timed(lambda: diff(ws, "signs@1", "signs"))
    seconds["fork"] = timed(lambda: fork(ws, "signs", "night"))
    if dvc:
        home = dvc_repository(dvc, folder)
        (home / "one").write_bytes(b"x")
        for what, path in (("dvc add, one byte", "one"), ("dvc add", "images")):
            add, own = [dvc, "add", "-q", path], os.environ.copy()
            own.pop("PYTHONDONTWRITEBYTECODE", None)  # or it would compile itself in every run
            seconds[what] = timed(
                lambda add=add, own=own: subprocess.run(add, cwd=home, env=own, check=True)
            )
        shutil.rmtree(home)
    shutil.rmtree(place)
    return seconds


def judged(what: str, median: dict[str, float]) -> None:
    "What was asked of a folder, beside what it takes."
    whole, second = median["ingest + commit"], median["second, 1 % changed"]
    figure(f"{what}: ingest / hash and copy", whole, median["hash and copy"], most=1.5, unit="s")
    if "dvc add" in median:
        peer = median["dvc add"] - median["dvc add, one byte"]  # neither side pays for its start
        figure(f"{what}: ingest beside dvc add", whole, peer, least=3, unit="s")
    figure(f"{what}: second version / first", second, whole, most=0.05, unit="s")
    figure(f"{what}: extra bytes of the second, share", median["extra bytes, share"], most=0.02)
    figure(f"{what}: diff", median["diff"], most=0.5, unit="s")
    figure(f"{what}: fork", median["fork"], most=0.05, unit="s")


def main():
    "Measure, print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dvc", help="the dvc command of another environment")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--small", type=int, default=20_000)
    parser.add_argument("--large", type=int, default=400)
    parser.add_argument("--verb", choices=VERBS, help="only this one, here, on the store --at")
    parser.add_argument("--at", help=argparse.SUPPRESS)
    parser.add_argument("--many", type=int, default=0, help="tiny images, for memory")
    asked = parser.parse_args()
    if asked.verb:
        return one_verb(asked.verb, asked.at, asked.rows[0])
    if asked.rows:
        rows_without_pixels(asked.rows)
    if asked.many:
        many(asked.many)
    if asked.small or asked.large:
        small = folder_of(20, 3_000)
        beside(small, asked.dvc)  # pays for the imports of both
        shutil.rmtree(small.parent)
    for n, size in ((asked.small, 3_000), (asked.large, 2 << 20)):
        if not n:
            continue
        folder = folder_of(n, size)
        rounds = [beside(folder, asked.dvc) for _ in range(asked.rounds)]
        median = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}
        print(f"\n{n:,} files of {size:,} bytes, median of {asked.rounds} rounds")
        for name, value in median.items():
            print(f"{name:26} {value:8.3f}")
        fewest = median["limit: stat"] / median["ingest + commit"]
        print(f"one stat a file / first    {fewest:8.3f}   no second version can be below")
        judged(f"{n:,} files", median)
        shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()

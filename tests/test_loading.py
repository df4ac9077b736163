"Training reads and scans: the same rows in the same order, from any process, after any stop."

import os
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest

from mlops_nb.data import ingest, read, resolve, scan
from mlops_nb.data.checks import measure
from mlops_nb.data.scanning import Rows, numbers, spread
from mlops_nb.data.store import MEASURES, remove_rows
from mlops_nb.images.pixels import encode
from mlops_nb.workspace import DataError, Workspace

# Lance warns before every fork, because it cannot read in the child; `Rows` reads elsewhere there.
pytestmark = pytest.mark.filterwarnings("ignore:lance is not fork-safe")


def picture(k: int) -> bytes:
    "Its pixels say which one it is; its size is the same for all."
    noise = np.random.default_rng(k).integers(0, 255, (20, 24, 3)).astype(np.uint8)
    noise[0, 0] = divmod(k, 256) + (7,)
    return encode(noise)


@pytest.fixture
def signs(ws, tmp_path):
    "Sixty samples in three fragments, two of them removed again."
    for part in range(3):
        folder = tmp_path / f"cam{part}"
        for k in range(20 * part, 20 * part + 20):
            path = folder / ("stop" if k % 3 else "yield") / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(k))
        ingest(ws, folder, "signs", facts={"drive": f"drive-{part}"})
    ids = read(ws, "signs", columns=["sample_id", "source"]).sort_by("source")["sample_id"]
    remove_rows(ws, "signs", {ids[3].as_py(), ids[33].as_py()})
    return "signs"


# Rows by number


def test_numbers_follow_sample_ids_and_take_keeps_the_order_asked(ws, signs):
    version = resolve(ws, signs)
    found = numbers(ws, version)
    assert len(set(found.tolist())) == version.rows == 58
    rows = Rows(ws, version, ["sample_id", "image", "label"])
    assert rows.take(found).equals(read(ws, signs, columns=["sample_id", "image", "label"]))
    some = found[[5, 2, 5, 40]]  # repeated, and in no order
    again = rows.take(some)["sample_id"].to_pylist()
    assert again == [rows.take([k])["sample_id"][0].as_py() for k in some]
    stops = numbers(ws, version, "label = 'stop' and drive <> 'drive-1'")
    expected = read(ws, signs, where="label = 'stop' and drive <> 'drive-1'")
    assert rows.take(stops)["sample_id"].equals(expected["sample_id"])
    assert not len(numbers(ws, version, "label = 'none'"))
    with pytest.raises(DataError, match="Cannot read signs@.* Write SQL over the columns"):
        numbers(ws, version, "nonsense = 1")


def test_a_forked_process_reads_through_a_fresh_one(ws, signs):
    version = resolve(ws, signs)
    rows, found = Rows(ws, version, ["sample_id", "image", "facts"]), numbers(ws, version)
    expected = rows.take(found)  # Lance now runs threads here
    out, into = os.pipe()
    child = os.fork()
    if not child:
        same = rows.take(found).equals(expected) and rows.take([]).num_rows == 0
        reader = rows._readers[os.getpid()]._child
        os.write(into, f"{same} {reader.pid}".encode())
        os._exit(0)
    same, reader = os.read(out, 100).decode().split()
    assert os.waitpid(child, 0)[1] == 0 and same == "True"
    for _ in range(200):  # its reader ends with it
        if not os.path.exists(f"/proc/{reader}"):
            break
        subprocess.run(["sleep", "0.05"], check=True)
    assert not os.path.exists(f"/proc/{reader}")


# Scans


def measured(rows: pa.Table, *, max_pixels: int = 100_000_000) -> pa.Table:
    "What the checks measure, as a table."
    found = [measure(row, max_pixels=max_pixels) for row in rows.to_pylist()]
    fault = pa.struct([("check", pa.string()), ("message", pa.string())])
    schema = pa.schema([("width", pa.int32()), ("height", pa.int32()), ("brightness", pa.float32()),
                        ("measures", MEASURES), ("fault", fault)])  # fmt: skip
    for one in found:
        if "fault" in one:
            one["fault"] = dict(zip(("check", "message"), one["fault"], strict=True))
    return pa.Table.from_pylist(found, schema=schema)


def fail_on(rows: pa.Table, *, bad: str) -> pa.Table:
    "Raise at one sample."
    if bad in rows["sample_id"].to_pylist():
        raise DataError(f"The scan met {bad}. Take it out.")
    return pa.table({"n": np.ones(rows.num_rows)})


def test_a_scan_measures_what_the_checks_measure(ws, signs):
    seen = []
    table = scan(ws, signs, measured, batch=7, progress=seen.append)
    rows = read(ws, signs, columns=["sample_id", "image_id", "image"]).to_pylist()
    assert table["sample_id"].to_pylist() == [row["sample_id"] for row in rows]
    for said, row in zip(table.to_pylist(), rows, strict=True):
        expected = measure(row)
        assert (said["width"], said["height"]) == (expected["width"], expected["height"])
        assert said["brightness"] == pytest.approx(expected["brightness"])
        assert said["fault"] is None
    assert seen == sorted(seen) and seen[-1] == 58
    assert scan(ws, signs, measured, batch=1000, workers=1).equals(table)
    some = scan(ws, signs, measured, where="label = 'yield'", batch=5)
    assert 0 < some.num_rows < 58
    assert scan(ws, signs, measured, where="label = 'none'").num_rows == 0


def test_a_scan_says_what_is_wrong(ws, signs):
    with pytest.raises(DataError, match="no column imagee"):
        scan(ws, signs, measured, columns=["imagee"])
    bad = read(ws, signs)["sample_id"][30].as_py()
    with pytest.raises(DataError, match=f"The scan met {bad}"):
        scan(ws, signs, partial(fail_on, bad=bad), batch=4)


def test_work_is_held_back_by_a_slow_reader(ws):
    begun = []

    def note(piece):
        begun.append(piece)
        return pa.table({"piece": [piece]})

    results = spread(ws, list(range(100)), note, workers=2)
    assert next(results)["piece"][0].as_py() == 0
    assert len(begun) <= 5  # two at work, four waiting at most, one handed over
    results.close()
    assert len(begun) <= 7


def test_ray_says_the_same_as_threads(ws, signs):
    "One start of Ray, two CPUs: results, a failing function, another kind of work."
    if find_spec("ray") is None:
        pytest.skip("no Ray on this machine: pip install 'mlops-nb[ray]'")
    code = RAY.format(root=str(ws.root))
    tests = os.path.dirname(__file__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([tests, *sys.path])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=False, timeout=200, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stdout.split()[-1] == "same"


RAY = """
from functools import partial
from mlops_nb.data import read, scan
from mlops_nb.data.scanning import spread
from mlops_nb.workspace import DataError, open_workspace
from test_loading import fail_on, hashed, measured

ws = open_workspace({root!r})
here = scan(ws, "signs", measured, batch=10)
there = scan(ws, "signs", measured, batch=10, executor="ray", workers=2)
assert there.equals(here), there
bad = read(ws, "signs")["sample_id"][30].as_py()
try:
    scan(ws, "signs", partial(fail_on, bad=bad), batch=10, executor="ray")
except DataError as err:
    assert f"The scan met {{bad}}. Take it out." in str(err), err
else:
    raise AssertionError("no error")
files = [[str(p) for p in ws.root.parent.glob(f"cam{{k}}/*/*.png")] for k in range(3)]
import pyarrow as pa
local, ray = (pa.concat_tables(spread(ws, files, hashed, executor=e)).sort_by("path")
              for e in ("threads", "ray"))
assert local.num_rows == 60 and local.equals(ray)
print("same")
"""


def hashed(paths: list[str]) -> pa.Table:
    "The part of an import that reads files: names and content ids."
    from mlops_nb.images.pixels import image_id

    ids = []
    for path in paths:
        with open(path, "rb") as file:
            ids.append(image_id(file.read()))
    return pa.table({"path": paths, "image_id": ids})


def test_a_cluster_that_is_not_there_is_one_clear_error(ws, signs):
    if find_spec("ray") is None:
        pytest.skip("no Ray on this machine: pip install 'mlops-nb[ray]'")
    away = Workspace(ws.root, {"ray_address": "ray://127.0.0.1:1"})
    code = f"""
from mlops_nb.workspace import Workspace
from pathlib import Path
from mlops_nb.data import scan
from test_loading import measured
scan(Workspace(Path({str(away.root)!r}), {away.settings!r}), "signs", measured, executor="ray")
"""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])
    }
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=False, timeout=100, env=environment)  # fmt: skip
    assert "Ray does not answer at ray://127.0.0.1:1" in done.stderr

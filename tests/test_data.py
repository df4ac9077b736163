"Folders into datasets: nothing lost, nothing twice, the same digest for the same data."

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_nb.data import (
    Item,
    datasets,
    digest,
    ingest,
    quarantine,
    read,
    read_folder,
    resolve,
    split,
    tag,
    validate,
    versions,
)
from mlops_nb.data.items import Box, tidy_facts, utc
from mlops_nb.data.splitting import FRACTIONS, assign, side
from mlops_nb.data.store import SCHEMA, leaf
from mlops_nb.images.pixels import encode
from mlops_nb.ledger import acts, verify_ledger
from mlops_nb.workspace import DataError, MlopsError, open_workspace

# Pillow warns about odd TIFF, EXIF and APNG data that it nevertheless reads.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def picture(seed: int, size: int = 12) -> bytes:
    "A file that decodes, different for every seed."
    values = np.random.default_rng(seed).integers(0, 255, (size, size, 3))
    return encode(values.astype(np.uint8))


def film(root: Path, drives=range(12), frames: int = 3) -> Path:
    "Class folders with a table of facts; one drive shows one class."
    lines = ["file_name,drive,weather"]
    for drive in drives:
        for frame in range(frames):
            name = f"{'stop' if drive % 2 else 'yield'}/{drive}_{frame}.png"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(picture(1000 * drive + frame))
            lines.append(f"{name},drive-{drive},{'rain' if drive % 3 else 'clear'}")
    (root / "metadata.csv").write_text("\n".join(lines))
    return root


# Ingest


def test_ingesting_again_adds_nothing(ws, tmp_path):
    root = film(tmp_path / "film")
    first, again = ingest(ws, root, "signs"), ingest(ws, root, "signs")
    assert (first.added, first.unchanged, first.changed, first.quarantined) == (36, 0, 0, 0)
    assert (again.added, again.unchanged, again.changed) == (0, 36, 0)
    assert (again.version, again.digest) == (first.version, first.digest)
    assert len(acts(ws, verb="ingest")) == 1


def test_what_was_split_and_checked_is_still_recognised(ws, tmp_path):
    root = film(tmp_path / "film")
    ingest(ws, root, "signs")
    split(ws, "signs")
    before = validate(ws, "signs")
    again = ingest(ws, root, "signs")
    assert (again.unchanged, again.digest) == (36, before.digest)


def test_only_the_changed_row_is_replaced(ws, tmp_path):
    root = film(tmp_path / "film")
    before = ingest(ws, root, "signs")
    splits = split(ws, "signs")
    (root / "stop/1_0.png").write_bytes(picture(5))
    after = ingest(ws, root, "signs")
    assert (after.added, after.changed, after.unchanged) == (0, 1, 35)
    rows = read(ws, "signs").to_pylist()
    assert len(rows) == 36 and all(row["split"] for row in rows)  # it keeps the side it had
    assert read(ws, f"signs@{before.version}").num_rows == 36
    assert len({before.digest, splits.digest, after.digest}) == 3


@pytest.mark.parametrize("what", ["pixel", "label", "box", "fact"])
def test_any_change_changes_the_digest(ws, tmp_path, what):
    root = tmp_path / "film"
    film(root)
    before = ingest(ws, root, "signs").digest
    if what == "pixel":
        (root / "stop/1_0.png").write_bytes(picture(77))
    elif what == "label":
        (root / "no_entry").mkdir()
        table = (root / "metadata.csv").read_text().replace("stop/1_0", "no_entry/1_0")
        (root / "metadata.csv").write_text(table)
        (root / "stop/1_0.png").rename(root / "no_entry/1_0.png")
    elif what == "fact":
        table = (root / "metadata.csv").read_text().replace("drive-1,rain", "drive-1,fog")
        (root / "metadata.csv").write_text(table)
    else:
        boxed = '{"images": [{"id": 1, "file_name": "stop/1_0.png"}], "categories": [{"id": 1, "name": "stop"}],'
        boxed += '"annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, %s]}]}'
        (root / "metadata.csv").unlink()
        (root / "labels.json").write_text(boxed % 5)
        before = ingest(open_workspace(tmp_path / "boxes"), root, "signs").digest
        (root / "labels.json").write_text(boxed % 5.000001)
    other = open_workspace(tmp_path / "other")
    assert ingest(other, root, "signs").digest != before


def test_the_digest_ignores_layout_order_and_history(ws, tmp_path):
    root = film(tmp_path / "film")
    whole = ingest(ws, root, "signs")
    other = open_workspace(tmp_path / "other")
    for drives in (range(6, 12), range(6)):  # two commits, the other way round
        part = film(tmp_path / f"part{drives.start}" / "film", drives)
        ingest(other, part, "copy")
    assert len(versions(other, "copy")) == 2
    assert digest(other, "copy") == whole.digest
    assert read(other, "copy").equals(read(ws, "signs"))


@settings(max_examples=50, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 3))
def test_a_leaf_sees_boxes_as_a_set(order, moved):
    boxes = [{"class": "a", "x0": k, "y0": 0.0, "x1": k + 1.0, "y1": 1.0} for k in range(4)]
    row = dict.fromkeys(SCHEMA.names) | {"sample_id": "smp:1", "image_id": "img:1", "facts": "{}"}
    same = leaf(row | {"boxes": boxes})
    assert leaf(row | {"boxes": [boxes[k] for k in order]}) == same
    boxes[moved] = boxes[moved] | {"x1": 9.0}
    assert leaf(row | {"boxes": boxes}) != same


def test_callers_facts_and_split_win(ws, tmp_path):
    root = film(tmp_path / "film")
    ingest(ws, root, "snow", facts={"weather": "snow"}, split="test")
    rows = read(ws, "snow", columns=["weather", "split", "clip", "drive"]).to_pylist()
    assert {(row["weather"], row["split"]) for row in rows} == {("snow", "test")}
    assert all(row["clip"] == row["drive"] for row in rows)
    with pytest.raises(DataError, match="Unknown split 'training'"):
        ingest(ws, root, "snow", split="training")


# Real data


def test_gtsrb_whole(ws, real_data):
    done = ingest(ws, real_data("gtsrb"), "gtsrb")
    assert (done.added, done.quarantined) == (4080, 0)
    assert any("1,032 images in Online_Training_original_size" in note for note in done.notes)
    rows = read(ws, "gtsrb", columns=["source", "label", "boxes", "split", "track"]).to_pylist()
    test = [row for row in rows if row["split"] == "test"]
    assert (len(test), len(rows) - len(test)) == (1500, 2580)
    assert len({row["label"] for row in rows}) == 43
    one = next(r for r in rows if r["source"].endswith("Images/00000/00000_00000.ppm"))
    assert (one["label"], one["track"]) == ("00_speed_limit_20", "00_speed_limit_20/00000")
    # 29;30;5;6;24;25 in the table, 32 x 32 in the file
    assert one["boxes"][0]["x0"] == pytest.approx(5 * 32 / 29)
    assert one["boxes"][0]["y1"] == pytest.approx(25 * 32 / 30)
    sides = split(ws, "gtsrb")
    assert sides.samples["test"] == 1500  # the official part, and nothing else
    assert 0.12 < sides.samples["val"] / 2580 < 0.24
    tracks = {}
    for row in read(ws, "gtsrb", columns=["track", "split"]).to_pylist():
        tracks.setdefault(row["track"], set()).add(row["split"])
    assert all(len(found) == 1 for name, found in tracks.items() if name)


def test_otonom_coco(ws, real_data):
    done = ingest(ws, real_data("otonom-coco"), "oto")
    rows = read(ws, "oto").to_pylist()
    assert (done.added, done.quarantined, sum(len(row["boxes"]) for row in rows)) == (187, 0, 290)
    assert {row["split"] for row in rows} == {"val"}
    checked = validate(ws, "oto")
    assert (checked.checked, checked.quarantined) == (187, 0)
    assert sum(finding.check == "C5" for finding in checked.findings) == 3  # without annotation


def test_every_malformed_file_lands_somewhere(ws, real_data):
    root = real_data("malformed") / "images"
    files = {f"images/{path.name}" for path in root.iterdir()}
    assert ingest(ws, root, "bad").added == len(files) == 50
    checked = validate(ws, "bad")
    kept = set(read(ws, "bad", columns=["source"])["source"].to_pylist())
    refused = quarantine(ws, "bad").to_pylist()
    assert kept | {row["source"] for row in refused} == files
    assert not kept & {row["source"] for row in refused}
    damaged = [row for row in refused if row["check"] == "A1"]
    blank = [row for row in refused if row["check"] == "A16"]  # they open, and are all but black
    assert (len(damaged), len(blank)) == (25, 5) and checked.quarantined == len(refused) == 30
    assert all(row["check"] and row["message"] and row["remedy"] for row in refused)
    again = ingest(ws, root, "bad")
    assert (again.added, again.quarantined, again.digest) == (0, 30, checked.digest)


def test_datumaro_and_roboflow_layouts(real_data):
    base = real_data("malformed") / "annotation-formats"
    for folder in ("roboflow_dataset/coco", "coco_dataset/coco_instances"):
        found = list(read_folder(base / folder))
        items = [one for one in found if isinstance(one, Item)]
        assert items and len(items) == len(found) and {i.split for i in items} == {"train", "val"}


# Bad folders


def test_a_folder_without_images(ws, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    with pytest.raises(DataError, match=r"holds 1 file and no image\. Pass a folder with images"):
        ingest(ws, tmp_path / "empty", "signs")
    with pytest.raises(DataError, match="is not a folder"):
        ingest(ws, tmp_path / "absent", "signs")
    with pytest.raises(DataError, match="Unknown format 'labelme'"):
        ingest(ws, tmp_path, "signs", format="labelme")
    assert datasets(ws) == ()


def test_files_that_cannot_be_taken(ws, tmp_path):
    root = film(tmp_path / "film", range(2))
    (root / "metadata.csv").unlink()
    (tmp_path / "secret.png").write_bytes(picture(901))
    (root / "stop/out.png").symlink_to(tmp_path / "secret.png")
    (root / "stop/gone.png").symlink_to(root / "nowhere.png")
    (root / "stop/self.png").symlink_to("self.png")
    (root / "stop/folder.png").mkdir()
    (root / "outside").symlink_to(tmp_path)
    os.mkfifo(root / "stop/pipe.png")  # reading it would wait for ever
    (root / "stop/empty.png").write_bytes(b"")
    (root / "stop/locked.png").write_bytes(picture(902))
    (root / "stop/locked.png").chmod(0)
    done = ingest(ws, root, "signs")
    validate(ws, "signs")
    refused = {Path(r["source"]).name: r for r in quarantine(ws, "signs").to_pylist()}
    wanted = {"out.png": "A3", "gone.png": "A3", "self.png": "A3", "folder.png": "A1",
              "outside": "A3", "pipe.png": "A1", "empty.png": "A2"}  # fmt: skip
    if os.geteuid() != 0:  # root reads everything
        wanted["locked.png"] = "A1"
    assert {name: row["check"] for name, row in refused.items()} == wanted
    assert "leads out of the folder" in refused["out.png"]["message"]
    assert refused["out.png"]["image"] is None  # what lies outside was never read
    assert done.added == 6 + 2 - (os.geteuid() != 0)


def test_rows_without_file_and_files_without_row(ws, tmp_path):
    root = film(tmp_path / "film", range(2))
    table = (root / "metadata.csv").read_text().splitlines()
    (root / "metadata.csv").write_text("\n".join([*table[:-1], "stop/absent.png,drive-9,rain"]))
    ingest(ws, root, "signs")
    refused = {Path(r["source"]).name: r for r in quarantine(ws, "signs").to_pylist()}
    assert set(refused) == {"absent.png", "1_2.png"}
    assert {row["check"] for row in refused.values()} == {"A3"}
    assert refused["1_2.png"]["image"] == (root / "stop/1_2.png").read_bytes()  # nothing is lost
    assert len(quarantine(ws, "signs")) == 2 and ingest(ws, root, "signs").quarantined == 2
    assert len(quarantine(ws, "signs")) == 2


def test_metadata_without_file_name_is_refused_whole(ws, tmp_path):
    root = film(tmp_path / "film")
    (root / "metadata.csv").write_text("path,drive\nstop/1_0.png,1\n")
    with pytest.raises(DataError, match="none is file_name. Name the column"):
        ingest(ws, root, "signs")


def test_tables_of_spreadsheets(tmp_path):
    root = film(tmp_path / "film", range(1), 1)
    text = "﻿file_name;drive".replace(";", ",") + ",ort\r\nyield/0_0.png,7,K\xf6ln,too much\r\n"
    (root / "metadata.csv").write_bytes(text.encode("utf-8-sig")[3:])
    (item,) = read_folder(root)
    assert item.facts == {"drive": "7", "ort": "K\xf6ln"}
    (root / "metadata.csv").write_bytes("file_name,ort\nyield/0_0.png,K\xf6ln".encode("latin-1"))
    assert next(read_folder(root)).facts == {"ort": "K\xf6ln"}


def test_coco_faults_are_named(tmp_path):
    import json

    root = tmp_path / "coco"
    root.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (root / name).write_bytes(picture(ord(name[0])))
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]},
             {"image_id": 2, "category_id": 9, "bbox": [1, 2, 3, 4]},
             {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}]  # fmt: skip
    images = [{"id": 1, "file_name": "a.png", "drive": 3}, {"id": 2, "file_name": "b.png"},
              {"id": 3, "file_name": "absent.png"}, {"id": 4, "file_name": "../outside.png"}]  # fmt: skip
    said = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "stop"}]}
    (root / "labels.json").write_text(json.dumps(said))
    found = {Path(one.source).name: one for one in read_folder(root)}
    assert (
        found["a.png"].boxes == (Box("stop", 1, 2, 4, 6),) and found["a.png"].facts["drive"] == "3"
    )
    assert {name: one.check for name, one in found.items() if name != "a.png"} == {
        "b.png": "C4", "c.png": "A3", "absent.png": "A3", "outside.png": "A3",
        "labels.json#image=7": "A3"}  # fmt: skip


@pytest.mark.parametrize("text, found", [
    ("2026-01-31T09:15:00+01:00", "2026-01-31T08:15:00Z"),
    ("2026-01-31 08:15", "2026-01-31T08:15:00Z"),
    ("yesterday", "yesterday"),
])  # fmt: skip
def test_times_become_utc(text, found):
    assert utc(text) == found
    assert tidy_facts({"captured_at": text, "track": 0, "x": ""}) == {
        "captured_at": found,
        "track": "0",
    }


# References


def test_references_and_their_refusals(ws, tmp_path):
    first = ingest(ws, film(tmp_path / "film"), "signs")
    validate(ws, "signs")
    assert tag(ws, "signs", "v1") == "signs@v1"
    for ref in ("signs", "signs@v1", first.digest):
        assert resolve(ws, ref).digest == first.digest
    assert resolve(ws, "signs@v1").ref == "signs@v1"
    for ref, words in {"sign": "Did you mean 'signs'", "signs@v2": "no version 'v2'",
                       "signs@99": "no version '99'", "data:00": "No dataset here has",
                       "../etc": "cannot name a dataset"}.items():  # fmt: skip
        with pytest.raises(DataError, match=words):
            resolve(ws, ref)
    with pytest.raises(DataError, match="no column brightnes. Did you mean 'brightness'"):
        read(ws, "signs", columns=["brightnes"])
    with pytest.raises(DataError, match="Write SQL over the columns"):
        read(ws, "signs", where="colour = 'red'")
    assert read(ws, "signs", where="weather = 'clear'", columns=["drive"]).num_rows == 12


def test_a_tag_refuses_the_unchecked_and_never_moves(ws, tmp_path):
    root = film(tmp_path / "film")
    ingest(ws, root, "signs")
    with pytest.raises(DataError, match="was not validated. Validate signs first"):
        tag(ws, "signs", "v1")
    validate(ws, "signs")
    tag(ws, "signs", "v1")
    assert tag(ws, "signs", "v1") == "signs@v1" and len(acts(ws, verb="tag")) == 1
    old = digest(ws, "signs@v1")
    film(root, range(14))
    ingest(ws, root, "signs")
    validate(ws, "signs")
    with pytest.raises(DataError, match="never moves. Choose another tag"):
        tag(ws, "signs", "v1")
    assert digest(ws, "signs@v1") == old and tag(ws, "signs", "v2") == "signs@v2"
    with pytest.raises(DataError, match="cannot be a tag"):
        tag(ws, "signs", "7")


# Splits


def test_a_split_is_stable_and_never_leaks(ws, tmp_path):
    root = film(tmp_path / "film", range(30))
    ingest(ws, root, "signs")
    first = split(ws, "signs")
    early = {r["source"]: r["split"] for r in read(ws, "signs").to_pylist()}
    assert split(ws, "signs").moved == 0 and split(ws, "signs").digest == first.digest
    film(root, range(45))
    ingest(ws, root, "signs")
    assert split(ws, "signs").moved == 45
    rows = read(ws, "signs").to_pylist()
    assert all(early.get(row["source"], row["split"]) == row["split"] for row in rows)
    drives = {}
    for row in rows:
        drives.setdefault(row["drive"], set()).add(row["split"])
    assert all(len(found) == 1 for found in drives.values())
    assert len(acts(ws, verb="split")) == 2


def test_fractions_are_met_and_wrong_ones_refused(ws, tmp_path):
    sides = [side(f"drive-{k}", FRACTIONS) for k in range(20_000)]
    for name, share in FRACTIONS.items():
        assert sides.count(name) / 20_000 == pytest.approx(share, abs=0.01)
    ingest(ws, film(tmp_path / "film", range(2)), "signs")
    with pytest.raises(DataError, match="leaves .* empty: there are only 2 groups"):
        split(ws, "signs")
    with pytest.raises(DataError, match="Cannot split by"):
        split(ws, "signs", fractions={"train": 0.8, "dev": 0.2})
    with pytest.raises(DataError, match="has no track"):
        split(ws, "signs", group="track")


def test_an_official_test_part_stays():
    rows = [{"image_id": f"img:{k}", "drive": None, "track": None, "source": f"{k}",
             "facts": '{"source_split":"test"}' if k < 40 else "{}"} for k in range(400)]  # fmt: skip
    sides = assign(rows)
    assert [k for k, where in enumerate(sides) if where == "test"] == list(range(40))
    again = [row | {"facts": row["facts"]} for row in rows[::-1]]
    assert assign(again) == sides[::-1]


# Bad days

CHILD = """
import os, signal, sys
from mlops_nb.data import ingestion, validation
from mlops_nb.workspace import open_workspace
def die(*given, **known):
    os.kill(os.getpid(), signal.SIGKILL)
root, folder, where = sys.argv[1:]
ws = open_workspace(root)
if where == "reading":
    ingestion.ingest(ws, folder, "signs", progress=lambda n: die() if n == 20 else None)
if where.startswith("ingestion."):
    setattr(ingestion, where.split(".")[1], die)
ingestion.ingest(ws, folder, "signs")
if where.startswith("validation."):
    setattr(validation, where.split(".")[1], die)
validation.validate(ws, "signs")
"""
WHERE = ["reading", "ingestion.put_quarantine", "ingestion.record", "validation.put_quarantine", "validation.remove_rows",
         "validation.update_rows", "validation.record"]  # fmt: skip


def child(*arguments) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", CHILD, *map(str, arguments)],
                            stderr=subprocess.PIPE, text=True)  # fmt: skip


def test_kill_9_anywhere_and_again_ends_in_the_same_place(ws, tmp_path):
    root = film(tmp_path / "film")
    (root / "stop/1_0.png").write_bytes(b"\x89PNG, but not really")
    (root / "stop/extra.png").write_bytes(picture(3))
    ingest(ws, root, "signs")
    whole = validate(ws, "signs")
    assert (whole.quarantined, len(quarantine(ws, "signs"))) == (1, 2)
    killed = {where: child(tmp_path / where, root, where) for where in WHERE}
    for where, process in killed.items():
        _, said = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, (where, said)
    for where in WHERE:
        other = open_workspace(tmp_path / where)
        if where.startswith("validation"):  # nothing is missing even before it is done again
            kept = read(other, "signs", columns=["source"])["source"].to_pylist()
            assert len({*kept, *quarantine(other, "signs")["source"].to_pylist()}) == 37, where
        ingest(other, root, "signs")
        done = validate(other, "signs")
        assert done.digest == whole.digest, where
        assert len(quarantine(other, "signs")) == 2, where
        assert tag(other, "signs", "v1") == "signs@v1"
        assert verify_ledger(other).ok
        made = {name for act in acts(other) for name in act.outputs}
        assert {used for act in acts(other) for used in act.inputs} <= made, where  # no orphans


def test_two_writers_at_once_lose_nothing(ws, tmp_path):
    left = film(tmp_path / "left", range(6))
    right = film(tmp_path / "right", range(6, 12))
    both = [child(ws.root, folder, "") for folder in (left, right, left)]
    for process in both:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    sources = read(ws, "signs", columns=["source"])["source"].to_pylist()
    assert len(sources) == len(set(sources)) == 36
    alone = open_workspace(tmp_path / "alone")
    for folder in (right, left):
        ingest(alone, folder, "signs")
    assert digest(ws, "signs") == digest(alone, "signs")
    assert verify_ledger(ws).ok


def test_a_full_disk_leaves_the_earlier_version(small_disk, tmp_path):
    ws = open_workspace(small_disk / "ws")
    root = film(tmp_path / "film", range(4))
    first = ingest(ws, root, "signs")
    for k in range(40):
        (root / f"stop/big{k}.png").write_bytes(picture(k, 256))
    (root / "metadata.csv").unlink()
    with pytest.raises(MlopsError, match="No space left.*[Ff]ree some space"):
        ingest(ws, root, "signs")
    assert resolve(ws, "signs").digest == first.digest
    assert read(ws, "signs").num_rows == 12
    for k in range(38):
        (root / f"stop/big{k}.png").unlink()
    assert ingest(ws, root, "signs").added == 2  # with room, it goes on

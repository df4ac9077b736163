"Folders of every format, in and out: real sets counted, dirty ones named item by item, round trips."

import base64
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlops_nb.data import (
    Item,
    Problem,
    detect,
    ingest,
    quarantine,
    read,
    read_folder,
    write_dataset,
)
from mlops_nb.data.formats import READERS
from mlops_nb.data.formats.documents import json_parts
from mlops_nb.data.formats.folders import GTSRB_CLASSES
from mlops_nb.data.formats.labels import Table, read_text
from mlops_nb.data.items import Box
from mlops_nb.data.writing import WRITERS, file_name
from mlops_nb.images import encode
from mlops_nb.workspace import DataError


def picture(seed: int, width: int = 100, height: int = 80) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8))


def put(root: Path, files: dict[str, str | bytes]) -> Path:
    "A folder with these files; text is UTF-8."
    for name, said in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(said.encode() if isinstance(said, str) else said)
    return root


def look(root: Path, **how) -> tuple[list[Item], list[Problem], list[str]]:
    "Items, problems and notes of a folder."
    found = list(read_folder(root, **how))
    bad = [one for one in found if isinstance(one, Problem)]
    return (
        [one for one in found if isinstance(one, Item)],
        [one for one in bad if one.severity == "E"],
        [one.message for one in bad if one.severity == "I"],
    )


def kinds(items: list[Item]) -> Counter:
    return Counter(box[0] for item in items for box in item.boxes)


# Real sets: the counts are those of the sets' own pages


def test_kitti_mini(real_data):
    items, bad, _ = look(real_data("kitti-mini"))
    assert len(items) == 6 and not bad
    assert kinds(items) == {
        "Car": 5,
        "Pedestrian": 2,
        "Truck": 1,
        "Cyclist": 1,
        "Misc": 1,
        "DontCare": 15,
    }
    assert all(b.ignore == (b.name == "DontCare") for i in items for b in i.boxes)
    sweeps = {i.path.stem: i.attached["lidar"] for i in items if i.attached}
    assert set(sweeps) == {"000000", "000001"}
    assert np.frombuffer(sweeps["000000"], "<f4").reshape(-1, 4).shape[1] == 4
    second = next(i for i in items if i.path.stem == "000001")
    assert second.boxes[0].more["dimensions"] == [2.85, 2.63, 12.34]
    assert second.facts["calibration"]["intrinsics"][0] == [721.5377, 0, 609.5593]
    assert second.facts["calibration"]["size"][1] in (370, 375)


def test_coco128_as_yolo(real_data):
    root = real_data("coco128-train")
    with pytest.raises(
        DataError, match="2 formats: coco .*yolo .*Pass format='coco' or format='yolo'"
    ):
        detect(root)
    items, bad, notes = look(root, format="yolo")
    assert {Path(p.source.removesuffix(" (its image)")).name for p in bad} == {
        "000000000250.jpg", "000000000508.jpg", "000000000656.txt", "000000000659.txt"}  # fmt: skip
    assert len(items) == 126 and len(items) + 2 == 128 and {i.split for i in items} == {"train"}
    orphans = [root / f"labels/train2017/000000000{n}.txt" for n in (656, 659)]
    lines = [line for path in orphans for line in path.read_text().splitlines()]
    found = kinds(items)
    assert found.total() + len(lines) == 941
    names = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light", "stop sign")
    numbers = dict(zip((0, 1, 2, 3, 5, 7, 9, 11), names, strict=True))
    found += Counter(numbers.get(int(line.split()[0]), "other") for line in lines)
    assert [found[n] for n in names] == [261, 6, 48, 6, 7, 12, 14, 2]
    assert any("100 images in panoptic/panoptic_train2017 were left out" in note for note in notes)


def test_coco128_panoptic(real_data):
    items, bad, notes = look(real_data("coco128-train"), format="coco")
    assert len(items) == 100 and kinds(items).total() == 1111
    assert len(bad) == 28 and {p.check for p in bad} == {"A3"}  # photographs without segments
    assert any("100 masks" in note for note in notes)
    licences = Counter(i.facts["licence"] for i in items)
    assert licences["Attribution-NonCommercial-ShareAlike License"] == 29
    assert licences["Attribution-NoDerivs License"] == 3 and len(licences) == 7


def test_otonom(real_data):
    items, bad, _ = look(real_data("otonom-coco"))
    assert len(items) == 187 and kinds(items).total() == 290 and not bad
    assert sum(not i.boxes for i in items) == 3
    assert len({i.facts["extra"]["name"] for i in items}) == 185


def test_road_signs(real_data):
    items, bad, _ = look(real_data("road-signs-voc"))
    assert len(items) == 36 and not bad
    assert kinds(items) == {"trafficlight": 22, "speedlimit": 20, "crosswalk": 14, "stop": 9}


def test_gtsrb_and_folders(real_data):
    items, bad, notes = look(real_data("gtsrb"))
    assert Counter(i.split for i in items) == {None: 2580, "test": 1500} and not bad
    assert len({i.label for i in items}) == 43 and any("1,032 images" in note for note in notes)
    items, bad, _ = look(real_data("gtsrb") / "Online_Training_original_size")
    assert len(items) == 1032 and not bad and set(Counter(i.label for i in items).values()) == {24}
    items, bad, notes = look(real_data("ceit-weather"))
    assert Counter(i.label for i in items) == {
        "Video4": 29,
        "Video9": 30,
        "Video15": 25,
        "Video20": 20,
    }
    for name in ("mnist", "fashion-mnist"):
        with pytest.raises(DataError, match="no image"):
            detect(real_data(name))


@pytest.mark.parametrize("folder, form, images, boxes", [
    ("coco_dataset/coco_panoptic", "coco", 2, 3), ("coco_dataset/coco_instances", "coco", 2, 3),
    ("voc_dataset", "voc", 1, 1), ("yolo_dataset", "yolo", 1, 2),
    ("kitti_dataset/kitti_3d", "kitti", 1, 3), ("kitti_dataset/kitti_detection", "kitti", 2, 5),
    ("roboflow_dataset", "coco", 3, 4),
])  # fmt: skip
def test_annotation_formats(real_data, folder, form, images, boxes):
    root = real_data("malformed") / "annotation-formats" / folder
    assert detect(root) == form
    items, bad, _ = look(root)
    assert (len(items), kinds(items).total(), bad) == (images, boxes, [])


def test_formats_that_are_refused_with_what_was_seen(real_data):
    base = real_data("malformed") / "annotation-formats"
    with pytest.raises(DataError, match="train.xml, as of CVAT"):
        detect(base / "cvat_dataset")
    with pytest.raises(DataError, match="2 files and no image"):
        detect(base / "tabular_dataset")
    with pytest.raises(DataError, match="holds labels of 3 formats: coco .*voc .*kitti"):
        detect(real_data("malformed"))
    items, bad, _ = look(base / "mmdetection")
    assert not items and "not in the folder" in bad[0].message
    assert "annotations[1]: the id 1 was given before" in bad[0].message
    items, bad, _ = look(real_data("malformed") / "images")
    assert len(items) == 50 and not bad  # what is wrong with them, validation says


# Dirty folders: every bad item is named, everything else is kept


def coco(images: list, marks: list, categories: list | None = None) -> str:
    kinds = [{"id": 1, "name": "car"}] if categories is None else categories
    return json.dumps({"images": images, "annotations": marks, "categories": kinds})


def mark(number: int, image: int, **said) -> dict:
    return {"id": number, "image_id": image, "category_id": 1, "bbox": [1, 2, 30, 40]} | said


def test_coco_names_every_bad_annotation(tmp_path):
    names = "abcdefg"
    images = [{"id": k, "file_name": f"{n}.png"} for k, n in enumerate(names)]
    marks = [mark(1, 0), mark(2, 1, bbox=[float("nan"), 2, 3, 4]), mark(3, 2, bbox=[1, 2, 3]),
             mark(4, 3), mark(4, 3), mark(5, 4, bbox="1,2,3,4"), mark(6, 5, category_id=[9]),
             mark(7, 99), "nonsense", mark(8, 1, bbox=[float("inf"), 0, 1, 1])]  # fmt: skip
    root = put(tmp_path / "set", {f"{n}.png": picture(ord(n)) for n in names})
    put(root, {"labels.json": coco([*images, {"id": 50}, 7], marks)})
    items, bad, _ = look(root)
    assert [i.path.stem for i in items] == ["a", "g"] and len(items[0].boxes) == 1
    said = {Path(p.source).name: p.message for p in bad}
    assert "annotations[1]" in said["b.png"] and "annotations[9]" in said["b.png"]
    assert "bbox [1, 2, 3] is not" in said["c.png"] and "id 4 was given before" in said["d.png"]
    assert "bbox 1,2,3,4" in said["e.png"] and "category '[9]' is not declared" in said["f.png"]
    assert "image 99" in said["labels.json#image=99"] and "labels.json#image=None" in said
    assert "labels.json#images[7]" in said and "labels.json#images[8]" in said
    assert all(p.remedy for p in bad)


def test_coco_ids_that_occur_twice(tmp_path):
    images = [
        {"id": 1, "file_name": "a.png"},
        {"id": 1, "file_name": "b.png"},
        {"id": 2, "file_name": "c.png"},
    ]
    kinds = [
        {"id": 1, "name": "car"},
        {"id": 1, "name": "bus"},
        {"id": 2, "name": "van"},
        {"id": 2, "name": "van"},
    ]
    kinds.append({"id": 5})
    marks = [mark(1, 2, category_id=2), mark(2, 3), mark(3, 4, category_id=5)]
    root = put(tmp_path / "set", {f"{n}.png": picture(ord(n)) for n in "abcde"})
    put(
        root,
        {
            "labels.json": coco(
                [*images, {"id": 3, "file_name": "d.png"}, {"id": 4, "file_name": "e.png"}],
                marks,
                kinds,
            )
        },
    )
    items, bad, _ = look(root)
    assert [i.path.stem for i in items] == ["c"] and items[0].boxes[0].name == "van"
    assert {Path(p.source).stem: p.check for p in bad} == {
        "a": "C4",
        "b": "C4",
        "d": "C18",
        "e": "C4",
    }


@pytest.mark.parametrize("text", ["", "{", '{"images": [{"id": 1, "file_na', "[" * 100_000, "null"])
def test_coco_that_is_no_json(tmp_path, text):
    root = put(tmp_path / "set", {"a.png": picture(1), "labels.json": text})
    items, bad, _ = look(root, format="coco")
    assert not items and "a.png" in {Path(p.source).name for p in bad}
    if "images" in text:
        assert detect(root) == "coco" and any("not whole JSON" in p.message for p in bad)
        assert any("says nothing of this file" in p.message and p.data for p in bad)


def test_encodings_of_json(tmp_path):
    for k, raw in enumerate([b"\xef\xbb\xbf%s" % coco([{"id": 1, "file_name": "a.png"}], [mark(1, 1)]).encode(),
                             coco([{"id": 1, "file_name": "a.png", "ort": "Köln"}], []).replace("\\u00f6", "\xf6").encode("latin-1")]):  # fmt: skip
        root = put(tmp_path / str(k), {"a.png": picture(1), "l.json": raw})
        ((item,), bad, _) = look(root)
        assert not bad and item.facts.get("ort") in (None, "Köln")


VOC = ("<annotation><filename>{}.png</filename>\n<object><name>car</name><bndbox>\n<xmin>{}</xmin>"
       "<ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>")  # fmt: skip


def test_voc_names_every_bad_object(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "x">' + "".join(
        f'<!ENTITY b{k} "{"&b;" * 10}">' for k in range(9)) + "]><annotation>&b8;</annotation>"  # fmt: skip
    texts = {"a": VOC.format("a", 1), "b": VOC.format("b", 1)[:90], "c": VOC.format("c", "one"),
             "d": VOC.format("d", "nan").replace("<name>car</name>", ""), "e": bomb,
             "f": VOC.format("gone", 1), "h": VOC.format("h", 1).replace("car", "Köln")}  # fmt: skip
    root = put(tmp_path / "set", {f"JPEGImages/{n}.png": picture(ord(n)) for n in "abcdegh"})
    put(root, {f"Annotations/{n}.xml": t.encode("latin-1") for n, t in texts.items()})
    start = time.monotonic()
    items, bad, _ = look(root, format="voc")
    assert time.monotonic() - start < 5
    assert [i.path.stem for i in items] == ["a", "h"] and items[1].boxes[0].name == "Köln"
    said = {Path(p.source).name: p.message for p in bad}
    assert "not whole XML" in said["b.png"] and "line 3" in said["b.png"]
    assert "Annotations/c.xml:2: xmin of car: 'one' is not a number" in said["c.png"]
    assert "no name" in said["d.png"] and "declares the entity" in said["e.png"]
    assert "gone.png" in said and "says nothing" in said["g.png"]


def test_yolo_names_every_bad_line(tmp_path):
    lines = {"a": "\ufeff0 .5 .5 .2 .2\r\n1 .5 .5 .2 .2 .9\r\n\r\n", "b": "7 .5 .5 .2 .2", "c": "0 1.5 .5 .2 .2",
             "d": "0 .5 .5 .2", "e": "0 -.5 .5 .2 .2\ncar .5 .5 .2 .2", "f": "0 nan .5 .2 .2", "g": "",
             "z": "0 .5 .5 .2 .2"}  # fmt: skip
    root = put(tmp_path / "set", {f"images/train/{n}.png": picture(ord(n)) for n in "abcdefgh"})
    put(root, {f"labels/train/{n}.txt": t for n, t in lines.items()})
    put(root, {"data.yaml": "train: ../train/images\nnames: [car, bus]\nnc: 2\n"})
    items, bad, _ = look(root)
    assert [i.path.stem for i in items] == ["a", "g"] and kinds(items) == {"car": 1, "bus": 1}
    assert items[0].boxes[0][1:5] == pytest.approx((40, 32, 60, 48)) and items[0].split == "train"
    assert items[0].boxes[1].more == {"score": 0.9}
    said = {Path(p.source).name: p.message for p in bad}
    assert "labels/train/b.txt:1: class 7 is none of the 2 names" in said["b.png"]
    assert "1.5 is outside 0 to 1" in said["c.png"] and "4 numbers, not 5" in said["d.png"]
    assert (
        "e.txt:1: -0.5 is outside" in said["e.png"]
        and "e.txt:2: 'car' is no class" in said["e.png"]
    )
    assert (
        "not a finite number" in said["f.png"] and "There is no labels/train/h.txt" in said["h.png"]
    )
    assert "z.txt (its image)" in said and len(bad) == 7


def test_yolo_without_names_beside_the_image_and_as_polygon(tmp_path):
    root = put(tmp_path / "set", {"a.png": picture(1), "a.txt": "3 .1 .1 .5 .1 .5 .5 .1 .5\n"})
    ((item,), bad, notes) = look(root)
    assert item.boxes[0].name == "3" and not bad
    assert item.boxes[0][1:5] == pytest.approx((10, 8, 50, 40))
    assert any("called by their numbers" in note for note in notes)
    ((item,), _, _) = look(root, options={"names": ["a", "b", "c", "lorry"]})
    assert item.boxes[0].name == "lorry"


KITTI = "Car 0.00 0 1.85 10 20 30 40 1.67 1.87 3.69 -16.53 2.39 58.49 1.57"


def test_kitti_names_every_bad_line(tmp_path):
    texts = {"0": KITTI + "\n", "1": KITTI + KITTI, "2": f"{KITTI}\r\n{KITTI[:20]}\r\n",
             "3": KITTI.replace("10", "nan"), "9": KITTI}  # fmt: skip
    root = put(tmp_path / "set", {f"training/image_2/{n}.png": picture(int(n)) for n in "012345"})
    put(root, {f"training/label_2/{n}.txt": t for n, t in texts.items()})
    put(root, {"training/label_2/5.txt": "", "training/velodyne/5.bin": b"123",
               "training/calib/0.txt": "P2: 1 2 3\n"})  # fmt: skip
    items, bad, _ = look(root)
    assert not items
    said = {Path(p.source).name: p.message for p in bad}
    assert "label_2/1.txt:1: 29 fields, not 15" in said["1.png"]  # 1.57Car is one word
    assert "label_2/2.txt:2: 6 fields" in said["2.png"] and "not a finite number" in said["3.png"]
    assert "label_2 has no file for it" in said["4.png"] and "4 float32" in said["5.png"]
    assert (
        "calib/0.txt:1: 3 numbers, not 9 or 12" in said["0.png"] and "9" in said and len(bad) == 7
    )


def test_bdd_names_every_bad_label(tmp_path):
    box = {"x1": 1, "y1": 2, "x2": 3, "y2": 4}
    label = {
        "id": 7,
        "category": "car",
        "box2d": box,
        "attributes": {"occluded": True, "truncated": False},
    }
    frames = [
        {"name": "a.png", "videoName": "d1", "frameIndex": 3, "timestamp": 10000,
         "attributes": {"weather": "rainy", "timeofday": "night", "scene": "undefined"},
         "labels": [label, {"category": "lane", "poly2d": []}]},
        {"name": "b.png", "labels": [label | {"box2d": {"x1": 1}}, label | {"category": None, "id": 8}]},
        {"name": "c.png", "labels": [label, label]}, {"name": "gone.png", "labels": None},
        {"labels": []}, {"name": "d.png", "labels": [label | {"box2d": box | {"x1": "x"}}]}]  # fmt: skip
    root = put(tmp_path / "set", {f"images/100k/{n}.png": picture(ord(n)) for n in "abcde"})
    put(root, {"labels/bdd_val.json": json.dumps(frames)})
    items, bad, notes = look(root)
    (item,) = items
    assert item.facts == {
        "weather": "rainy",
        "light": "night",
        "drive": "d1",
        "frame": 3,
        "timestamp": 10000,
    }
    assert item.boxes == (
        Box("car", 1, 2, 3, 4, "7", False, {"occluded": True, "truncated": False}),
    )
    said = {Path(p.source).name: p.message for p in bad}
    assert "labels[0]: box2d" in said["b.png"] and "labels[1]: category None" in said["b.png"]
    assert (
        "labels[1]: the id 7 was given before" in said["c.png"]
        and "'x' is not a number" in said["d.png"]
    )
    assert set(said) == {"b.png", "c.png", "d.png", "e.png", "gone.png", "bdd_val.json#frame=4"}
    assert any("1 labels without box2d" in note for note in notes) and item.split == "val"


def test_csv_with_mapped_columns(tmp_path):
    table = "path;run;kind;l;t;breite;h\r\na.png;7;car;1;2;3;4\r\na.png;7;bus;5;6;7;8\r\nb.png;7;car;x;6;7;8\r\n" \
            "c.png;7;;;;;\r\nd.png;7;car;1;2;3;4;5\r\ne.png;7;car;1;2;3;4\r\ne.png;8;car;1;2;3;4\r\nf.png;;;;;;\r\n"  # fmt: skip
    root = put(tmp_path / "set", {f"{n}.png": picture(ord(n)) for n in "abcdeg"})
    put(root, {"t.csv": table.encode("latin-1")})
    ours = {
        "file_name": "path",
        "drive": "run",
        "class": "kind",
        "x0": "l",
        "y0": "t",
        "w": "breite",
        "h": "h",
    }
    how = {"format": "csv", "options": {"columns": ours, "delimiter": ";"}}
    items, bad, _ = look(root, **how)
    assert [i.path.stem for i in items] == ["a", "c"] and items[0].facts == {"drive": "7"}
    assert items[0].boxes == (Box("car", 1, 2, 4, 6), Box("bus", 5, 6, 12, 14))
    said = {Path(p.source).name: p.message for p in bad}
    assert "t.csv:4: x0=x" in said["b.png"] and "1 cells more than columns" in said["d.png"]
    assert "drive differs" in said["e.png"] and {"f.png", "g.png"} < set(said)
    how["options"]["columns"] = ours | {"x1": "rechts"}
    with pytest.raises(DataError, match="no column 'rechts' for 'x1'; it has path"):
        look(root, **how)
    with pytest.raises(DataError, match="none is file_name"):
        look(root, format="csv", options={"delimiter": ";"})
    with pytest.raises(DataError, match="no option 'column'. Did you mean 'columns'"):
        read_folder(root, format="csv", options={"column": {}})


def test_names_with_newlines_and_bytes_and_links_out(tmp_path, ws):
    root = put(
        tmp_path / "set", {"images/a\nb.png": picture(1), "labels/a\nb.txt": "0 .5 .5 .2 .2"}
    )
    odd = os.fsencode(str(root)) + b"/images/\xff.png"
    Path(os.fsdecode(odd)).write_bytes(picture(2))
    Path(os.fsdecode(odd.replace(b"images", b"labels").replace(b"png", b"txt"))).write_text(
        "0 .5 .5 .1 .1"
    )
    put(tmp_path, {"secret.png": picture(3)})
    (root / "images/out.png").symlink_to(tmp_path / "secret.png")
    items, bad, _ = look(root)
    assert {i.source for i in items} == {"set/images/a\nb.png", "set/images/\\xff.png"}
    assert [(Path(p.source).name, p.data) for p in bad] == [("out.png", None)]
    ingest(ws, root, "odd")
    for form in sorted(set(WRITERS) - {"gtsrb", "recording"}):
        written = write_dataset(ws, "odd", tmp_path / form, format=form)
        assert written.images == 2 and len(look(tmp_path / form)[0]) == 2


def test_text_of_every_kind(tmp_path):
    for k, raw in enumerate([b"\xef\xbb\xbfa\r\nb", "a\r\nb".encode("utf-16"), b"a\rb", b"a\nb"]):
        assert read_text(put(tmp_path, {f"{k}.txt": raw}) / f"{k}.txt") == "a\nb"


# A label file of 300 MB: the peak of memory beyond the file itself must not follow its size


STREAM = """
import resource, sys
from mlops_nb.data.formats import read_folder
def peak():
    for line in open('/proc/self/status'):
        if line.startswith('RssAnon'):
            return int(line.split()[1]) / 1024
import threading, time
top, run = [peak()], [True]
def watch():
    while run[0]:
        top.append(peak()); time.sleep(0.01)
start = peak()
threading.Thread(target=watch, daemon=True).start()
n = boxes = 0
for one in read_folder(sys.argv[1], format='coco'):
    n += 1
    boxes += len(getattr(one, 'boxes', ()))
run[0] = False
print(n, boxes, max(top) - start)
"""


def big(root: Path, size: int) -> tuple[int, int]:
    "A COCO file of so many bytes, its annotations in no order, before its images; images, boxes."
    rng, n, images = np.random.default_rng(0), 0, 50
    polygon = ",".join("123.25" for _ in range(60))
    root.mkdir()
    put(root, {f"{k}.png": picture(k, 8, 8) for k in range(images)})
    with (root / "labels.json").open("w") as out:
        out.write('{"annotations":[')
        while out.tell() < size:
            owner = rng.integers(images)
            out.write(("," if n else "") + f'{{"id":{n},"image_id":{owner},"category_id":1,'
                      f'"bbox":[1,2,3,4],"segmentation":[[{polygon}]]}}')  # fmt: skip
            n += 1
        entries = [{"id": k, "file_name": f"{k}.png"} for k in range(images)]
        out.write(f'],"images":{json.dumps(entries)},"categories":[{{"id":1,"name":"car"}}]}}')
    return images, n


def test_a_large_label_file_is_not_held(tmp_path):
    images, boxes = big(tmp_path / "big", 40 << 20)
    code = [sys.executable, "-c", STREAM, str(tmp_path / "big")]
    out = subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()
    assert (int(out[0]), int(out[1])) == (images, boxes)
    assert float(out[2]) < 40  # MiB; json.loads takes about 6 times the file: 250 MiB


# Recordings, written by the libraries' own writers


def bag2(path: Path, kind: str = "mcap") -> Path:
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    t = store.types
    with Writer(path, version=9, storage_plugin=StoragePlugin[kind.upper()]) as writer:
        raw = writer.add_connection("/front/image_raw", "sensor_msgs/msg/Image", typestore=store)
        jpeg = writer.add_connection(
            "/rear/image_raw/compressed", "sensor_msgs/msg/CompressedImage", typestore=store
        )
        info = writer.add_connection(
            "/front/camera_info", "sensor_msgs/msg/CameraInfo", typestore=store
        )
        for k in range(4):
            at = 1_700_000_000_250_000_000 + k * 10**9
            stamp = t["builtin_interfaces/msg/Time"](sec=at // 10**9, nanosec=at % 10**9)
            header = t["std_msgs/msg/Header"](stamp=stamp, frame_id="front")
            pixels = np.full((4, 6, 3), (200, k, 10), np.uint8)  # bgr
            encoding = "bgr8" if k < 3 else "bayer_rggb8"
            image = t["sensor_msgs/msg/Image"](header, 4, 6, encoding, 0, 18, pixels.reshape(-1))
            writer.write(raw, at, store.serialize_cdr(image, "sensor_msgs/msg/Image"))
            rear = t["std_msgs/msg/Header"](stamp=stamp, frame_id="rear")
            data = np.frombuffer(encode(pixels), np.uint8)
            shot = t["sensor_msgs/msg/CompressedImage"](rear, "png", data)
            writer.write(jpeg, at, store.serialize_cdr(shot, "sensor_msgs/msg/CompressedImage"))
            region = t["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            matrix = np.array([5.0, 0, 3, 0, 5, 2, 0, 0, 1])
            camera = t["sensor_msgs/msg/CameraInfo"](header, 4, 6, "plumb_bob", np.zeros(5), matrix,
                                                     np.eye(3).ravel(), np.zeros(12), 0, 0, region)  # fmt: skip
            writer.write(info, at, store.serialize_cdr(camera, "sensor_msgs/msg/CameraInfo"))
    return path


@pytest.mark.parametrize("kind", ["mcap", "sqlite3"])
def test_ros2_bags(tmp_path, kind):
    from mlops_nb.images import decode

    root = tmp_path / "drives"
    root.mkdir()
    bag2(root / "drive7", kind)
    assert detect(root) == "recording"
    items, bad, _ = look(root)
    front = [i for i in items if i.facts["sensor"] == "/front/image_raw"]
    assert (len(front), len(items)) == (3, 7) and len(bad) == 1 and "bayer_rggb8" in bad[0].message
    assert front[1].facts["captured_at"] == "2023-11-14T22:13:21.250000Z"
    assert front[1].facts["drive"] == "drive7" and front[1].facts["frame"] == 1
    assert front[0].facts["calibration"]["intrinsics"] == [[5, 0, 3], [0, 5, 2], [0, 0, 1]]
    assert front[0].facts["calibration"]["size"] == [6, 4]
    assert decode(front[1].data)[0, 0].tolist() == [10, 1, 200]  # bgr has become rgb
    rear = next(i for i in items if i.facts["sensor"].startswith("/rear"))
    assert "calibration" not in rear.facts and rear.source.endswith(".png")
    some = look(root, options={"topics": ["/front/image_raw"], "every": 2})[0]
    assert [i.facts["frame"] for i in some] == [0, 2]
    assert len({i.source for i in items}) == 7


def test_ros1_bag(tmp_path):
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    t = store.types
    with Writer(tmp_path / "night.bag") as writer:
        topic = writer.add_connection("/cam", "sensor_msgs/msg/CompressedImage", typestore=store)
        header = t["std_msgs/msg/Header"](0, t["builtin_interfaces/msg/Time"](5, 7), "cam")
        shot = t["sensor_msgs/msg/CompressedImage"](
            header, "png", np.frombuffer(picture(1), np.uint8)
        )
        writer.write(topic, 10, store.serialize_ros1(shot, "sensor_msgs/msg/CompressedImage"))
    ((item,), bad, _) = look(tmp_path)
    assert item.data == picture(1) and not bad and item.facts["drive"] == "night"
    assert item.facts["captured_at"].startswith("1970-01-01T00:00:05")


def test_a_torn_recording_gives_what_was_written_before(tmp_path):
    whole = next(bag2(tmp_path / "whole").glob("*.mcap")).read_bytes()
    root = put(
        tmp_path / "torn",
        {"a.mcap": whole[: len(whole) // 2], "b.mcap": b"\x89MCAP0\r\n", "c.mcap": b""},
    )
    _, bad, _ = look(root)
    assert any("a.mcap breaks off" in p.message for p in bad)
    assert any("c.mcap does not begin like a recording" in p.message for p in bad)


def test_a_torn_recording_keeps_the_frames_before_the_tear(tmp_path):
    from mcap.writer import Writer

    with (tmp_path / "whole.mcap").open("wb") as file:
        writer = Writer(file, chunk_size=1)  # a chunk a frame: the tear costs one
        writer.start()
        schema = writer.register_schema("foxglove.CompressedImage", "jsonschema", b"{}")
        topic = writer.register_channel("/cam", "json", schema)
        for k in range(8):
            said = {"timestamp": {"sec": k + 1, "nsec": 0}, "format": "png",
                    "data": base64.b64encode(picture(k)).decode()}  # fmt: skip
            writer.add_message(topic, k + 1, json.dumps(said).encode(), k + 1)
        writer.finish()
    whole = (tmp_path / "whole.mcap").read_bytes()
    root = put(tmp_path / "torn", {"a.mcap": whole[: len(whole) * 6 // 10]})
    items, bad, _ = look(root)
    assert 3 <= len(items) < 8 and [item.data for item in items] == [
        picture(k) for k in range(len(items))
    ]
    (torn,) = bad
    assert f"a.mcap breaks off after {len(items)} frames" in torn.message


def test_foxglove_json_is_read_and_hostile_messages_are_named(tmp_path):
    from mcap.writer import Writer

    with (tmp_path / "fox.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("foxglove.CompressedImage", "jsonschema", b"{}")
        topic = writer.register_channel("/cam", "json", schema)
        good = {
            "timestamp": {"sec": 9, "nsec": 0},
            "format": "png",
            "data": base64.b64encode(picture(1)).decode(),
        }
        for k, text in enumerate(
            [json.dumps(good), "{", json.dumps(good | {"data": "AAAA"}), "{}"]
        ):
            writer.add_message(topic, k + 1, text.encode(), k + 1)
        writer.finish()
    items, bad, _ = look(tmp_path)
    assert [i.data for i in items] == [picture(1)] and len(bad) == 3
    assert all("cannot be used" in p.message and p.remedy for p in bad)


# Out again


BOX = st.builds(
    lambda name, x, y, w, h, track, ignore: Box(name, *np.float32((x, y, x + w, y + h)).tolist(), track, ignore),
    st.sampled_from(["car", "traffic light", "Köln & <b>", "a;b,c\"d"]),
    st.floats(0, 50, width=32), st.floats(0, 40, width=32), st.floats(1, 49, width=32),
    st.floats(1, 39, width=32), st.sampled_from([None, "t1"]), st.booleans())  # fmt: skip
FACTS = st.fixed_dictionaries({}, optional={
    "drive": st.sampled_from(["d1", "7"]), "weather": st.just("rain"), "light": st.just("night"),
    "captured_at": st.just("2026-01-31T08:15:00Z"), "speed_mps": st.floats(0, 50, width=32),
    "frame": st.integers(0, 99), "vehicle": st.sampled_from(["7", "true", "v-1", "[x"]),
    "latitude": st.floats(-90, 90, width=32), "ego_pose": st.just({"x": 1.5, "yaw": 0})})  # fmt: skip
SAMPLE = st.tuples(
    st.lists(BOX, max_size=4, unique_by=lambda b: b.track or id(b)),
    FACTS,
    st.sampled_from(["train", "val", "test"]),
)


def written_items(samples, home: Path) -> list[Item]:
    return [Item(f"s/{k}", PurePosixPath(f"{k}.png"), picture(k), boxes=tuple(b), split=s, facts=dict(f))
            for k, (b, f, s) in enumerate(samples)]  # fmt: skip


def said(item: Item, *, whole: bool) -> tuple:
    boxes = sorted(
        (b.name, *np.float32(b[1:5]).tolist(), *((b.track or "", b.ignore) if whole else ()))
        for b in item.boxes
    )
    facts = {k: v for k, v in item.facts.items() if not k.startswith("declared")}
    return item.data, boxes, item.split, facts if whole else None


@pytest.mark.parametrize("form", ["coco", "bdd", "csv"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=st.lists(SAMPLE, min_size=1, max_size=4))
def test_formats_that_hold_everything_give_it_back(tmp_path_factory, form, samples):
    home = tmp_path_factory.mktemp("trip") / "set"
    home.mkdir()
    items, lost = written_items(samples, home), Counter()
    WRITERS[form](iter(items), home, lost)
    found, bad, _ = look(home)
    tracks = form != "bdd"
    assert not bad
    for item, again in zip(items, sorted(found, key=lambda i: i.path.name), strict=True):
        mine, theirs = said(item, whole=True), said(again, whole=True)
        if not tracks and "drive" not in item.facts:  # told in `lost`
            mine, theirs = ([*m[:1], [b[:5] for b in m[1]], *m[2:]] for m in (mine, theirs))
            assert bool(lost["track of a box without drive"]) or all(
                b.track is None for b in item.boxes
            )
        assert tuple(mine) == tuple(theirs)


@pytest.mark.parametrize("form", ["voc", "yolo", "kitti"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(samples=st.lists(SAMPLE, min_size=1, max_size=4))
def test_other_formats_give_boxes_back_and_tell_what_they_lose(tmp_path_factory, form, samples):
    home = tmp_path_factory.mktemp("trip") / "set"
    home.mkdir()
    items, lost = written_items(samples, home), Counter()
    WRITERS[form](iter(items), home, lost)
    if form == "kitti":
        (home / "training/image_2").mkdir(parents=True, exist_ok=True)
    found, bad, _ = look(home, format=form)
    assert not bad
    for item, again in zip(items, sorted(found, key=lambda i: i.path.name), strict=True):
        boxes = [b for b in item.boxes if form != "yolo" or not b.ignore]
        if form == "kitti":
            boxes = [
                b._replace(name="DontCare" if b.ignore else "_".join(b.name.split())) for b in boxes
            ]
        assert [b.name for b in boxes] == [b.name for b in again.boxes] and item.data == again.data
        for box, twin in zip(boxes, again.boxes, strict=True):  # YOLO divides by the size
            assert twin[1:5] == pytest.approx(box[1:5], abs=1e-9 if form == "yolo" else 0)
        assert again.split == item.split or lost[f"split {item.split}"]
        assert all(lost[f"fact {name}"] for name in item.facts)


def test_kitti_and_its_sweeps_go_out_and_come_back(real_data, ws, tmp_path):
    first = ingest(ws, real_data("kitti-mini"), "kitti")
    written = write_dataset(ws, "kitti", tmp_path / "out", format="kitti")
    assert (written.images, written.boxes, written.notes) == (6, 25, ())
    assert first.digest in (tmp_path / "out/README.md").read_text()
    folders = (real_data("kitti-mini"), tmp_path / "out")
    one, two = (sorted(look(root)[0], key=lambda i: i.data) for root in folders)
    for item, again in zip(one, two, strict=True):
        assert item.facts == again.facts and item.attached == again.attached
        for box, twin in zip(item.boxes, again.boxes, strict=True):
            assert box.more == twin.more and np.float32(box[1:5]).tolist() == list(twin[1:5])


def test_every_writer_has_a_reader():
    assert set(WRITERS) == set(READERS)


@pytest.mark.parametrize("form", sorted(set(WRITERS) - {"gtsrb"}))
def test_read_ingest_write_read(real_data, ws, tmp_path, form):
    ingest(ws, real_data("road-signs-voc"), "signs", split="train", facts={"drive": "d1"})
    written = write_dataset(ws, "signs", tmp_path / "out", format=form)
    assert detect(tmp_path / "out") == form and written.images == 36 and written.boxes == 65
    done = ingest(ws, tmp_path / "out", "again")
    assert (done.added, done.quarantined) == (36, 0)
    tables = [read(ws, name, columns=["image_id", "boxes"]) for name in ("signs", "again")]
    assert set(tables[0]["image_id"].to_pylist()) == set(tables[1]["image_id"].to_pylist())
    boxes = [
        [(b["class"], b["x0"], b["y1"]) for row in table["boxes"].to_pylist() for b in row]
        for table in tables
    ]
    if form in ("image_folder", "recording"):
        assert any(note.startswith("boxes: 65") for note in written.notes) and not boxes[1]
    else:
        assert sorted(boxes[0]) == sorted(boxes[1])


def test_gtsrb_goes_out_and_comes_back(tmp_path, ws):
    rows = [f"3_{k}.ppm;100;80;1;2;90;70;14" for k in range(3)]
    root = put(tmp_path / "g", {f"00014/3_{k}.ppm": picture(k) for k in range(3)})
    put(
        root,
        {
            "00014/GT-00014.csv": "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n"
            + "\n".join(rows)
        },
    )
    ingest(ws, root, "g")
    write_dataset(ws, "g", tmp_path / "out", format="gtsrb")
    one, two = (sorted((i.label, i.boxes[0], i.facts["track"].split("/")[0], i.data) for i in look(r)[0])
                for r in (root, tmp_path / "out"))  # fmt: skip
    assert one == two and one[0][0] == GTSRB_CLASSES[14]
    ingest(ws, put(tmp_path / "h", {"dog/a.png": picture(1)}), "h")
    with pytest.raises(DataError, match="'dog', which is none of GTSRB's 43"):
        write_dataset(ws, "h", tmp_path / "no", format="gtsrb")
    assert not [p for p in tmp_path.iterdir() if p.name.startswith((".no", "no"))]


def test_writing_is_whole_or_not_at_all(tmp_path, ws):
    ingest(ws, put(tmp_path / "set", {f"dog/{k}.png": picture(k) for k in range(4)}), "dogs")
    put(tmp_path / "full", {"a.txt": "mine"})
    with pytest.raises(DataError, match="is there already"):
        write_dataset(ws, "dogs", tmp_path / "full", format="coco")
    with pytest.raises(DataError, match="Unknown format 'cocoa'"):
        write_dataset(ws, "dogs", tmp_path / "out", format="cocoa")
    code = (
        "import sys, os, signal\nfrom mlops_nb.data import writing\nfrom mlops_nb.workspace import open_workspace\n"
        "def die(items, folder, lost):\n    next(items); (folder / 'labels.json').write_text('{'); os.kill(os.getpid(), 9)\n"
        "writing.WRITERS['coco'] = die\n"
        "writing.write_dataset(open_workspace(sys.argv[1]), 'dogs', sys.argv[2], format='coco')"
    )
    place = tmp_path / "out"
    died = subprocess.run([sys.executable, "-c", code, str(ws.root), str(place)], check=False)
    assert died.returncode == -signal.SIGKILL and not place.exists()
    assert write_dataset(ws, "dogs", place, format="coco").images == 4 and len(look(place)[0]) == 4


def test_file_names_are_plain_and_occur_once():
    taken: set[str] = set()
    names = [
        str(file_name(n, taken))
        for n in ("s/a.png", "s/A.jpg", "s/../../a.png", "s/\n", "s/.x", "s/é ü.png")
    ]
    assert len({PurePosixPath(n).stem.lower() for n in names}) == 6
    assert not any(n.startswith(".") or "/" in n or "\n" in n for n in names)


def test_quarantine_keeps_every_reason(tmp_path, ws):
    root = put(
        tmp_path / "set", {"images/a.png": picture(1), "labels/a.txt": "9 9 9\n0 .5 .5 .2 .2\nx"}
    )
    put(root, {"classes.txt": "car\n"})
    done = ingest(ws, root, "bad", format="yolo")
    (row,) = quarantine(ws, "bad").to_pylist()
    assert done.quarantined == 1 and row["image"] == picture(1)
    assert "a.txt:1" in row["message"] and "a.txt:3" in row["message"]


def test_nan_is_mended_outside_of_strings_only(tmp_path):
    path = put(tmp_path, {"a.json": '{"x": [NaN, -Infinity, "NaN, \\" NaN"]}'}) / "a.json"
    before = path.read_bytes()
    assert bytes(json_parts(path)["x"]) == b'["N", "-Infini", "NaN, \\" NaN"]'
    assert path.read_bytes() == before


def test_the_doors_take_options_and_write(tmp_path, ws):
    table = "path,klasse,x0,y0,x1,y1\na.png,car,1,2,30,40\n"
    root = put(tmp_path / "set", {"a.png": picture(1), "t.csv": table})
    columns = {"file_name": "path", "class": "klasse"}
    assert ingest(ws, root, "cars", format="csv", options={"columns": columns}).added == 1
    from click.testing import CliRunner

    from mlops_nb.cli import cli

    told = CliRunner().invoke(
        cli, ["--workspace", str(ws.root), "write", "cars", str(tmp_path / "o"), "--format", "yolo"]
    )
    assert told.exit_code == 0 and "1 image and 1 box" in told.output
    assert "no place for that an image has no split: 1 times" in told.output
    for command in ("ingest", "write"):
        said = CliRunner().invoke(cli, [command, "--help"]).output
        assert all(form in said for form in READERS)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.text('aé,"\n\r\0 ;', max_size=6), min_size=1, max_size=4), max_size=6),
    st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.randoms(use_true_random=False),
)
def test_a_table_is_the_same_in_order_and_row_by_row(cells, encoding, end, rng):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=end).writerows([["é", "b"], *cells, [], ["last", "é"]])
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, "t.csv")
        path.write_bytes(out.getvalue().encode(encoding))
        whole = csv.DictReader(io.StringIO(read_text(path), newline=""))
        wanted = [{"é": row["é"] or "", "b": row["b"] or ""} for row in whole]
        with Table(path) as table:
            found = [(at, row, surplus) for at, _, row, surplus in table]
            assert [row for _, row, _ in found] == wanted and len(wanted) > 0
            rng.shuffle(found)
            for at, row, surplus in found:
                assert table.row(at) == (row, surplus)


MOST = """
import resource, sys
from mlops_nb.data.formats import read_folder
boxes = sum(len(getattr(one, "boxes", ())) for one in read_folder(sys.argv[1], format="csv"))
print(boxes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_large_table_is_read_in_little_memory(tmp_path):
    def most(n: int, wide: str) -> tuple[int, int]:  # boxes, kB
        root = put(tmp_path / str(n), {f"{k}.png": picture(k) for k in range(50)})
        with (root / "labels.csv").open("w") as out:
            out.write("file_name,class,x0,y0,x1,y1,remark\n")
            for k in range(n):  # the rows of an image lie all over the file
                out.write(f"{k * 7 % 50}.png,car,1,2,{3 + k % 9},8,{wide}\n")
        code = [sys.executable, "-c", MOST, str(root)]
        boxes, peak = subprocess.run(
            code, check=True, capture_output=True, text=True
        ).stdout.split()
        return int(boxes), int(peak)

    few, many = most(500, "x"), most(60_000, "x" * 1000)  # the second table has 61 MB
    assert (few[0], many[0]) == (500, 60_000)
    assert many[1] - few[1] < 40_000

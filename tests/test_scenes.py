"The renderer: the same bytes for the same seed everywhere, true boxes, weather that bites."

import csv
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from mlops_nb.images.camera import Frame, crop, drive
from mlops_nb.images.pixels import decode, quality
from mlops_nb.images.scenery import LIGHTS
from mlops_nb.images.scenes import FLEET, drives, gallery, write_crops, write_scenes
from mlops_nb.images.signs import CLASSES, plate, worn
from mlops_nb.images.weather import WEATHERS, noise_tile, stuck_snow, weather_over
from mlops_nb.workspace import WorkspaceError

SMALL = {"n_signs": 1, "n_frames": 2, "size": (120, 192)}


def same(a: Frame, b: Frame) -> bool:
    rest = [
        (f.classes, f.tracks, f.weather, f.light, f.drive, f.captured_at, f.index) for f in (a, b)
    ]
    return bool((a.image == b.image).all() and (a.boxes == b.boxes).all() and rest[0] == rest[1])


# --- the same world every time


def test_a_drive_follows_from_its_number():
    first, again = drive(7, **SMALL), drive(7, **SMALL)
    assert all(map(same, first, again))
    assert not any(map(same, first, drive(8, **SMALL)))


def test_threads_and_order_change_nothing():
    alone = [drive(k, **SMALL)[0] for k in range(6)]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda k: drive(k, **SMALL)[0], reversed(range(6))))
    assert all(map(same, alone, reversed(together)))


def test_another_process_with_another_hash_seed_makes_the_same_bytes():
    script = (
        "import hashlib; from mlops_nb.images.camera import drive\n"
        "fs = drive(31, weather='snow', light='night', n_signs=1, n_frames=2, size=(120, 192))\n"
        "print(hashlib.sha256(b''.join(f.image.tobytes() + f.boxes.tobytes() for f in fs)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("0", "77")
    }  # fmt: skip
    assert len(digests) == 1


def test_the_weather_changes_the_picture_and_not_the_world():
    clear, snow = (drive(12, weather=w, light="day", **SMALL) for w in ("clear", "snow"))
    for a, b in zip(clear, snow, strict=True):
        assert a.classes == b.classes and np.allclose(a.boxes, b.boxes)
        assert (a.image != b.image).any()


# --- what a frame says is true


def test_frames_are_what_the_contract_says():
    frames = drive(3, n_signs=3, n_frames=4)
    assert len(frames) == 12 and [f.index for f in frames] == list(range(12))
    times = [datetime.fromisoformat(f.captured_at) for f in frames]
    assert times == sorted(times) and len(set(times)) == 12
    for f in frames:
        assert f.image.shape == (240, 384, 3) and f.image.dtype == np.uint8
        assert f.boxes.dtype == np.float32 and f.boxes.shape == (len(f.classes), 4)
        assert len(f.tracks) == len(f.classes) == len(set(f.tracks))
        assert set(f.classes) <= set(CLASSES) and f.drive == "drive-000003"
        assert (f.boxes[:, :2] >= 0).all() and (f.boxes[:, 2:] <= (384, 240)).all()
        assert (f.boxes[:, 2:] > f.boxes[:, :2]).all()
    assert [f.track for f in frames[:4]] == ["sign-00"] * 4
    sides = [f.boxes[0, 3] - f.boxes[0, 1] for f in frames[:4]]
    assert sides == sorted(sides) and sides[0] > 8 and sides[-1] > 22


def test_the_box_is_where_the_sign_is():
    inside, below = [], []
    for number in range(30):
        (frame,) = drive(number, weather="clear", light="day", n_signs=1, n_frames=1)
        if frame.classes[0] in ("no_entry", "stop", "keep_right", "pedestrian_crossing"):
            x0, y0, x1, y1 = np.rint(frame.boxes[0]).astype(int)
            red, blue = (
                cv2.GaussianBlur(frame.image, (3, 3), 0)[:, :, k].astype(int) for k in (0, 2)
            )
            signed = red - blue if frame.classes[0] in ("no_entry", "stop") else blue - red
            high = y1 - y0
            inside.append(np.median(signed[y0 + high // 5 : y1 - high // 5, x0 + 3 : x1 - 3]))
            below.append(np.median(signed[y1 + 2 : y1 + high, x0 + 3 : x1 - 3]))
    assert len(inside) > 8 and np.mean(np.array(inside) > np.array(below) + 20) > 0.85


def test_every_plate_is_wholly_in_the_picture():
    for frames in drives(4, 25, n_signs=2, n_frames=1, size=(120, 192)):
        for f in frames:
            wide, high = f.boxes[0, 2:] - f.boxes[0, :2]
            assert 0.6 < wide / high < 1.5, (f.drive, f.boxes[0])


def test_winter_comes_only_when_asked_for():
    facts = [
        (f.weather, f.light)
        for fs in drives(5, 60, n_signs=1, n_frames=1, size=(64, 96))
        for f in fs
    ]
    weathers, lights = map(set, zip(*facts, strict=True))
    assert weathers == {"clear", "rain", "fog"} and lights == set(LIGHTS)
    assert drive(1, weather="snow", **SMALL)[0].weather == "snow"


def test_all_classes_appear_about_equally():
    names = [f.classes[0] for fs in drives(6, 80, n_signs=2, n_frames=1, size=(64, 96)) for f in fs]
    counts = [names.count(name) for name in CLASSES]
    assert min(counts) >= 8 and max(counts) <= 36


def test_nonsense_is_refused():
    for options, word in (
        ({"weather": "hail"}, "clear, rain, fog, snow"),
        ({"light": "noon"}, "day, dusk, night"),
        ({"n_signs": 0}, "at least one frame"),
        ({"size": (10, 10)}, "64 x 64"),
    ):
        with pytest.raises(ValueError, match=word):
            drive(0, **options)
    with pytest.raises(ValueError, match="0 or more"):
        drive(-1)


# --- crops


def test_a_crop_holds_the_sign_and_is_jittered_by_seed():
    frame = drive(2, weather="clear", light="day", n_signs=1, n_frames=1)[0]
    one, again, other = crop(frame), crop(frame), crop(frame, seed=1)
    assert one.shape == (48, 48, 3) and (one == again).all() and (one != other).any()
    assert crop(frame, 0, size=32, margin=0.0).shape == (32, 32, 3)


def test_a_crop_at_the_edge_is_still_square():
    frame = drive(2, **SMALL)[0]
    box = np.array([[150, 0, 191, 40]], np.float32)
    edge = Frame(frame.image, box, ("stop",), ("sign-00",), "clear", "day", frame.drive, "", 0)
    assert crop(edge, size=64).shape == (64, 64, 3)


# --- signs and weather


def test_plates_differ_and_are_transparent_outside():
    plates = [plate(name) for name in CLASSES]
    for k, one in enumerate(plates):
        assert one[0, 0, 3] == 0 or CLASSES[k] == "stop"
        assert one[128, 128, 3] == 255
        for other in plates[:k]:
            assert np.abs(one.astype(int) - other).mean() > 1
    with pytest.raises(ValueError, match="Known: stop"):
        plate("parking")


def test_snow_sticks_as_much_as_asked():
    assert noise_tile().mean() == pytest.approx(0.5, abs=0.01)
    for coverage in (0.0, 0.2, 0.5, 0.9):
        covers = [
            stuck_snow((64, 64), np.random.default_rng(k), coverage=coverage).mean()
            for k in range(20)
        ]
        assert np.mean(covers) == pytest.approx(coverage, abs=0.06)
    bare, snowed = (
        worn("stop", np.random.default_rng(1), snow=s)[:, :, :3].mean() for s in (0, 1.5)
    )
    assert snowed > bare + 15


@pytest.mark.parametrize("weather", WEATHERS[1:])
def test_weather_over_any_image(weather):
    image = np.full((200, 300, 3), (30, 90, 30), np.uint8)
    image[60:140, 100:200] = (200, 30, 30)
    before = image.copy()
    one, again = (weather_over(image, weather, seed=5) for _ in range(2))
    assert (image == before).all() and (one == again).all() and (one != image).any()
    assert (weather_over(image, weather, seed=6) != one).any()
    assert (weather_over(image, weather, severity=0, seed=5) == image).all()
    change = [
        np.abs(weather_over(image, weather, severity=s, seed=5).astype(int) - image).mean()
        for s in (0.25, 1.0, 2.0)
    ]
    assert change == sorted(change) and change[0] > 0.5
    for size in ((1, 1), (3, 40), (32, 32), (700, 900)):
        tiny = np.full((*size, 3), 77, np.uint8)
        assert weather_over(tiny, weather, seed=0).shape == tiny.shape


def test_weather_has_its_limits():
    image = np.zeros((20, 20, 3), np.uint8)
    assert (weather_over(image, "clear", seed=1) == image).all()
    with pytest.raises(ValueError, match="Known: clear"):
        weather_over(image, "hail", seed=1)
    with pytest.raises(ValueError, match="0 .nothing. to 3"):
        weather_over(image, "snow", severity=9, seed=1)


def test_snow_sticks_to_the_boxes_it_is_given():
    image = np.full((300, 400, 3), (160, 20, 20), np.uint8)
    changed = np.mean(
        [weather_over(image, "snow", seed=k, boxes=[[100, 100, 200, 200]]) for k in range(20)],
        axis=0,
    )
    assert changed[100:200, 100:200, 2].mean() > changed[:, 220:, 2].mean() + 15


def test_fog_takes_contrast_from_real_photographs(real_data):
    paths = sorted((real_data("gtsrb") / "Final_Test_32x32" / "Images").glob("*.ppm"))[:40]
    images = [decode(path.read_bytes()) for path in paths]
    clear = np.mean([quality(image).contrast for image in images])
    fog = np.mean(
        [quality(weather_over(image, "fog", seed=k)).contrast for k, image in enumerate(images)]
    )
    assert fog < 0.75 * clear


# --- fleets and folders


def test_fleets_share_no_drive():
    one, two = drives(1, 3, **SMALL), drives(2, 3, **SMALL)
    names = [f.drive for fleet in (one, two) for fs in fleet for f in fs]
    assert len(set(names)) == 6 and len(one) == 3
    assert same(one[1][0], list(one)[1][0]) and one[1][0].drive == f"drive-{FLEET + 1:06d}"
    with pytest.raises(ValueError, match="at most 10000"):
        drives(1, FLEET + 1)
    with pytest.raises(IndexError):
        one[3]


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_writers_make_the_same_folder_with_any_number_of_processes(tmp_path):
    fleet = drives(9, 16, **SMALL)
    assert write_crops(tmp_path / "one", fleet, workers=1) == 32
    results = []
    thread = threading.Thread(
        target=lambda: results.append(write_crops(tmp_path / "two", fleet, workers=2))
    )
    thread.start()
    thread.join()
    assert results == [32] and tree_of(tmp_path / "one") == tree_of(tmp_path / "two")
    with (tmp_path / "one" / "metadata.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 32 and set(rows[0]) == {
        "file_name", "class", "drive", "track", "captured_at", "weather", "light"
    }  # fmt: skip
    for row in rows:
        assert decode((tmp_path / "one" / row["file_name"]).read_bytes()).shape == (48, 48, 3)
        assert row["file_name"].startswith(f"{row['class']}/{row['drive']}_{row['track']}_")


def test_a_script_without_a_main_guard_can_write(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from mlops_nb.images.scenes import drives, write_crops\n"
        f"print(write_crops({str(tmp_path / 'out')!r}, drives(9, 16, n_signs=1, n_frames=1,"
        " size=(64, 96)), workers=2))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "16"


def test_crops_added_later_keep_the_earlier_rows(tmp_path):
    write_crops(tmp_path, drives(1, 2, **SMALL))
    write_crops(tmp_path, drives(2, 2, **SMALL))
    lines = (tmp_path / "metadata.csv").read_text().splitlines()
    assert len(lines) == 9 and len(list(tmp_path.rglob("*.png"))) == 8


def test_scenes_are_coco(tmp_path):
    assert write_scenes(tmp_path, drives(3, 2, n_signs=2, n_frames=2, size=(120, 192))) == 8
    document = json.loads((tmp_path / "annotations.json").read_text())
    ids = {image["id"] for image in document["images"]}
    assert len(ids) == 8 and len(document["annotations"]) >= 8
    names = {c["id"]: c["name"] for c in document["categories"]}
    assert tuple(names.values()) == CLASSES
    for a in document["annotations"]:
        x, y, w, h = a["bbox"]
        assert a["image_id"] in ids and a["category_id"] in names
        assert x >= 0 and y >= 0 and x + w <= 192.01 and y + h <= 120.01 and w > 0 and h > 0
    for image in document["images"]:
        assert decode((tmp_path / image["file_name"]).read_bytes()).shape == (120, 192, 3)
        assert {"drive", "captured_at", "weather", "light"} <= set(image)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for workers in (1, 2):
        with pytest.raises(WorkspaceError, match="file"):
            write_crops(tmp_path / "file" / "crops", drives(1, 16, **SMALL), workers=workers)


def test_the_gallery_is_one_page():
    page = gallery(0, size=(64, 96))
    assert page.ndim == 3 and page.dtype == np.uint8 and page.std() > 30

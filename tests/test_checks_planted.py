"Every fault planted among clean frames is found, and hardly a clean frame is blamed."

import cv2
import numpy as np
import pytest
from planted import SIZE, planted, sample, scene

from mlops_nb.data import Contract, check
from mlops_nb.data.annotations import AnnotationLimits
from mlops_nb.data.annotations import check as check_annotations
from mlops_nb.data.copies import CopyLimits, Trained, near_pairs
from mlops_nb.data.copies import check as check_copies
from mlops_nb.data.frames import FrameLimits
from mlops_nb.data.frames import check as check_frames
from mlops_nb.data.labels import (
    LabelLimits,
    check_mistakes,
    check_people,
    check_shortcuts,
    check_splits,
)
from mlops_nb.images.looks import hamming
from mlops_nb.images.pixels import encode

FEW = AnnotationLimits(min_samples_per_class=1)


@pytest.fixture(scope="module")
def found():
    rows, wanted = planted(500)
    return rows, wanted, check(rows, Contract(annotations=FEW))


def test_every_planted_fault_is_found_and_clean_frames_are_left_alone(found):
    rows, wanted, findings = found
    for name, sources in wanted.items():
        assert sources <= {f.source for f in findings if f.check == name}, name
    faulty = set().union(*wanted.values())
    blamed = {f.source for f in findings if f.sample_id} - faulty
    assert len(blamed) <= 0.005 * (len(rows) - len(faulty)), blamed
    assert {f.check for f in findings if f.sample_id is None} <= {"C11", "C12"}


def drive(n: int = 40, change=lambda image: image, **known) -> list[dict]:
    known = {"drive": "d1", "sensor": "front"} | known
    return [sample(f"{k:03}.png", encode(change(scene(k))), **known) for k in range(n)]


def spot(image):
    image = image.copy()
    image[40, 50] = 255
    image[60, 70] = 0
    return image


def column(image):
    image = image.copy()
    image[:, 33] = 255
    return image


def drop(image):
    image = image.copy()
    cv2.circle(image, (64, 48), 16, (90, 90, 90), -1)
    return image


@pytest.mark.parametrize("change, wanted", [(spot, "A10"), (column, "A10"), (drop, "A11")])
def test_faults_of_a_sensor_show_over_many_frames(change, wanted):
    assert [f.check for f in check_frames(drive(change=change))] == [wanted]
    assert check_frames(drive()) == []


def test_near_pairs_misses_none():
    draw = np.random.default_rng(0)
    hashes = draw.integers(0, 2**12, 1500) << 30  # crowded: many share every block
    apart = hamming(np.repeat(hashes, 1500), np.tile(hashes, 1500)).reshape(1500, 1500)
    every = np.argwhere(np.triu(apart <= 3, 1))
    pairs = near_pairs(hashes)
    assert all(apart[i, j] <= 3 and i < j for i, j in pairs)
    assert set(pairs.ravel().tolist()) == set(every.ravel().tolist())


def test_what_a_model_was_trained_on_is_no_test():
    rows = [sample(f"{k}.png", encode(scene(k)), split="test", drive=f"d{k}") for k in range(3)]
    again = sample("again.png", encode(scene(1).clip(1, 254)), split="train", drive="x")
    seen = Trained((rows[0] | {"split": "train", "ref": "signs@v1", "own": False},
                    again | {"ref": "signs@v2", "own": False}))  # fmt: skip
    said = {(f.check, f.severity, f.source) for f in check_copies(rows, trained=seen)}
    assert said == {("B7", "E", "cam/0.png"), ("B7", "E", "cam/1.png")}
    train = [row | {"split": "train"} for row in rows]
    assert check_copies(train, trained=seen) == []


def test_splits_that_meet_in_time_or_place():
    one = sample("1.png", encode(scene(1)), split="train", drive="a", sensor="front",
                 captured_at="2026-01-31T08:00:00Z", latitude=52.0, longitude=13.0)  # fmt: skip
    two = sample("2.png", encode(scene(2)), split="test", drive="b", sensor="front",
                 captured_at="2026-01-31T08:00:01Z", latitude=52.0001, longitude=13.0)  # fmt: skip
    later = two | {"captured_at": "2026-01-31T09:00:00Z"}
    assert [f.check for f in check_copies([one, two])] == ["B5"]
    assert check_copies([one, later]) == []
    assert [f.check for f in check_copies([one, later], CopyLimits(buffer_m=20))] == ["B5"]
    assert check_copies([one, later], CopyLimits(buffer_m=5)) == []


# Annotations


def box(*corners, name="Car", **more):
    import json

    sides = dict(zip(("x0", "y0", "x1", "y1"), map(float, corners), strict=True))
    return {"class": name, **sides, "track": None, "ignore": False, "more": json.dumps(more)}


def boxed(k, boxes, **known):
    return sample(f"{k:03}.png", encode(scene(k)), boxes=boxes, label=None, sensor="front", **known)


ROW = [boxed(k, [box(20, 50, 40 + k % 5, 70)]) for k in range(40)]


@pytest.mark.parametrize("wanted, severity, row", [
    ("C8", "W", boxed(99, [box(1, 1, 127, 95)])),
    ("C14", "W", boxed(99, [box(20, 50, 40, 70, segmentation=[[20, 50, 40, 70, 40, 50, 20, 70]])])),
    ("C14", "W", boxed(99, [box(20, 50, 40, 70, segmentation=[[60, 50, 80, 50, 80, 70]])])),
    ("C16", "E", boxed(99, [box(20, 50, 40, 70)], captured_at="2026-01-31T08:00:00Z",
                       facts='{"annotated_at":"2026-01-30T08:00:00Z"}')),
    ("C17", "W", boxed(99, [box(20, 82, 40, 95.5)])),
    ("C17", "W", boxed(99, [box(20, 5, 40, 22)])),
])  # fmt: skip
def test_one_wrong_annotation_among_good_ones(wanted, severity, row):
    scenery = {"front": ((0.0, 0.92, 1.0, 1.0), 0.3)}
    assert check_annotations(ROW, FEW, scenery=scenery) == []
    said = [
        (f.check, f.severity, f.source)
        for f in check_annotations([*ROW, row], FEW, scenery=scenery)
    ]
    assert said == [(wanted, severity, "cam/099.png")]


def test_category_numbers_that_collide():
    rows = [boxed(k, [box(20, 50, 40, 70, name=n, category_id=i)])
            for k, (n, i) in enumerate((("Car", 3), ("Cyclist", 3), ("Car", 3)))]  # fmt: skip
    assert [(f.check, f.source) for f in check_annotations(rows, FEW)] == [("C18", "3")]
    assert check_annotations(rows[:1], FEW) == []


# Labels


def clips(seed: int, n: int = 60, **known) -> list[dict]:
    "Two frames of each clip; nothing depends on anything."
    draw, rows = np.random.default_rng(seed), []
    for k in range(n):
        bright, name = draw.normal(0.5, 0.1), draw.choice(["car", "bus"])
        split = "test" if k % 3 == 0 else "train"
        for i in range(2):
            x, y = draw.uniform(0, 80, 2)
            rows.append({"sample_id": f"smp:{k}-{i}", "image_id": f"img:{k}-{i}", "label": str(name),
                         "source": f"cam/{k}-{i}.png", "clip": f"c{k}", "split": split, "width": 100,
                         "height": 100, "brightness": bright + draw.normal(0, 0.01), "facts": "{}",
                         "measures": {"contrast": draw.normal(0.2, 0.05)},
                         "boxes": [box(x, y, x + 20, y + 20, name=str(name))]} | known)  # fmt: skip
    return rows


def test_false_findings_are_as_rare_as_promised():
    limits = LabelLimits(alpha=0.05, permutations=199, min_shift=0, min_shortcut_auc=0)
    n = 150
    shifts = sum(bool(list(check_splits(clips(seed), limits))) for seed in range(n))
    shortcuts = sum(bool(list(check_shortcuts(clips(seed), limits))) for seed in range(n))
    assert shifts <= 15 and shortcuts <= 15  # 7.5 expected; 15 has a chance of 1 %


def test_a_shift_and_a_shortcut_are_found():
    rows = clips(0)
    for row in rows:
        if row["split"] == "test":
            row["boxes"] = [box(75, 75, 95, 95, name=row["label"])]
        row["brightness"] += 0.4 * (row["label"] == "bus")
    assert {(f.check, f.source) for f in check_splits(rows, LabelLimits())} == {("C11", "test")}
    said = {(f.check, f.source) for f in check_shortcuts(rows, LabelLimits())}
    assert said == {("C12", "car"), ("C12", "bus")}


def test_the_colour_of_a_sign_is_no_shortcut_but_its_camera_is():
    rows = [row | {"boxes": [], "sensor": "front"} for row in clips(0)]
    for row in rows:
        row["brightness"] += 0.4 * (row["label"] == "bus")
    assert list(check_shortcuts(rows, LabelLimits())) == []
    frames = [row | {"width": 640} for row in rows]
    assert {f.source for f in check_shortcuts(frames, LabelLimits())} == {"car", "bus"}
    for row in rows:
        row["sensor"] = "rear" if row["label"] == "bus" else "front"
    assert {f.source for f in check_shortcuts(rows, LabelLimits())} == {"car", "bus"}


def test_label_mistakes_by_confident_learning():
    draw, names = np.random.default_rng(0), ("a", "b", "c")
    rows, scores = [], {}
    for k in range(300):
        true = k % 3
        given = (true + 1) % 3 if k < 15 else true
        p = draw.dirichlet(1 + 12 * np.eye(3)[true])
        rows.append({"sample_id": f"smp:{k}", "source": str(k), "label": names[given]})
        scores[f"smp:{k}"] = dict(zip(names, p.tolist(), strict=True))
    found = {int(f.source) for f in check_mistakes(rows, LabelLimits(), scores)}
    assert len(found & set(range(15))) >= 13 and len(found - set(range(15))) <= 3
    assert list(check_mistakes(rows, LabelLimits())) == []


def test_the_annotator_who_disagrees_is_named():
    rows = []
    for k in range(30):
        for who, label in (("ann", "a"), ("bob", "a"), ("eve", "b" if k % 2 else "a")):
            rows.append({"image_id": f"img:{k}", "label": label, "boxes": [],
                         "facts": f'{{"annotator":"{who}"}}'})  # fmt: skip
    limits = LabelLimits(min_agreement=0.7)
    assert [f.source for f in check_people(rows, limits)] == ["eve"]


def test_planted_pictures_have_the_size_they_say():
    assert scene(0).shape == (*SIZE, 3) and FrameLimits().min_frames == 20

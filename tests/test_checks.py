"Every check finds what it is for, and nothing in data that is fine."

import csv
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pytest

from mlops_nb.data import (
    CHECKS,
    Contract,
    check,
    ingest,
    quarantine,
    read,
    resolve,
    split,
    tag,
    validate,
)
from mlops_nb.data import findings as stored_findings
from mlops_nb.data.annotations import AnnotationLimits
from mlops_nb.data.checks import errors
from mlops_nb.data.measuring import measure
from mlops_nb.data.store import leaf, update_rows
from mlops_nb.images.pixels import encode, image_id
from mlops_nb.ledger import acts
from mlops_nb.workspace import DataError

LOOSE = Contract(annotations=AnnotationLimits(min_samples_per_class=1))


def frame(seed: int, size: tuple[int, int] = (24, 24), low: int = 0, high: int = 255) -> np.ndarray:
    "Coloured noise: sharp, well exposed, different for every seed."
    return np.random.default_rng(seed).integers(low, high, (*size, 3)).astype(np.uint8)


def sample(seed: int, image: np.ndarray | None = None, **known) -> dict:
    "A measured row, as the checks get it."
    data = encode(frame(seed) if image is None else image)
    row = {"sample_id": f"smp:{seed:03}", "image_id": image_id(data), "source": f"cam/{seed}.png",
           "label": "stop", "boxes": [], "split": None, "facts": "{}", "image": data}  # fmt: skip
    row |= dict.fromkeys(("drive", "track", "captured_at", "weather", "light", "sensor")) | known
    return row | {"leaf": leaf(row)} | measure(row)


def box(*corners: float, name: str = "stop") -> dict:
    return {"class": name} | dict(zip(("x0", "y0", "x1", "y1"), map(float, corners), strict=True))


def said(rows: list[dict], contract: Contract = LOOSE) -> list[tuple[str, str, str]]:
    return [(f.check, f.severity, f.source) for f in check(rows, contract)]


GOOD = [sample(k) for k in range(100, 112)]


def test_good_samples_pass_every_check():
    boxed = [sample(k, boxes=[box(0, 0, 24, 24), box(2, 2, 9, 9)]) for k in range(20)]
    assert said(GOOD) == [] and said(boxed) == [] and said([]) == []


@pytest.mark.parametrize("wanted, severity, row", [
    ("A4", "W", sample(1, frame(1, (30, 24)))),
    ("A4", "E", sample(1, boxes=[box(1, 1, 9, 9)],
                       facts='{"declared_height":48,"declared_width":48}')),
    ("A4", "W", sample(1, facts='{"declared_height":48,"declared_width":48}')),
    ("A5", "W", sample(1, frame(1, (8, 72)))),
    ("A6", "W", sample(1, frame(1, low=0, high=12))),
    ("A6", "W", sample(1, frame(1, low=251, high=255))),
    ("A7", "W", sample(1, np.add.outer(range(24), range(24))[..., None]
                       .repeat(3, 2).astype(np.uint8) * np.uint8([4, 3, 1]))),
    ("A8", "W", sample(1, np.full((24, 24, 3), (200, 90, 40), np.uint8))),
    ("A9", "W", sample(1, frame(1)[..., :1].repeat(3, 2))),
    ("C1", "E", sample(1, boxes=[box(4, 4, 30, 9)])),
    ("C1", "E", sample(1, boxes=[box(-5, 4, 9, 9)])),
    ("C2", "E", sample(1, boxes=[box(9, 4, 9, 9)])),
    ("C2", "E", sample(1, boxes=[box(9, 9, 4, 4)])),
    ("C3", "E", sample(1, boxes=[box(float("nan"), 4, 9, 9)])),
    ("C3", "E", sample(1, boxes=[box(0, 0, float("inf"), 9)])),
    ("C5", "W", sample(1, label=None)),
    ("C6", "W", sample(1, boxes=[box(1, 1, 20, 20), box(1, 1, 20, 20.5)])),
    ("C7", "W", sample(1, boxes=[box(1, 1, 20, 20), box(1, 1, 20, 20.5, name="yield")])),
    ("C9", "W", sample(1, boxes=[box(1, 1, 3, 20)])),
])  # fmt: skip
def test_one_bad_sample_among_good_ones(wanted, severity, row):
    found = said([*GOOD, row])
    assert (wanted, severity, "cam/1.png") in found
    assert {source for _, _, source in found} <= {"cam/1.png", "yield"}  # nobody else is blamed


def test_a_box_that_sticks_out_by_rounding_is_no_error():
    assert said([*GOOD, sample(1, boxes=[box(-0.6, 0, 24.9, 24)])]) == []


def test_files_that_do_not_decode_or_are_not_themselves():
    data = encode(frame(1))
    name = image_id(data)
    assert measure({"image": b"", "image_id": name})["fault"][0] == "A2"
    assert measure({"image": encode(frame(2)), "image_id": name})["fault"][0] == "A2"
    cut = data[:900]
    assert measure({"image": cut, "image_id": image_id(cut)})["fault"][0] == "A1"
    bomb = measure({"image": data, "image_id": name}, max_pixels=100)
    assert bomb["fault"][0] == "A1" and "limit" in bomb["fault"][1]
    broken = sample(1) | {"fault": ("A1", "cut off")}
    assert said([*GOOD, broken]) == [("A1", "E", "cam/1.png")]
    assert said([*GOOD, sample(1) | {"label": "yield"}])[0] == ("H1", "E", "cam/1.png")


def fault(data: bytes) -> tuple[str, str] | None:
    return measure({"image": data, "image_id": image_id(data)}).get("fault")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_smallest_and_the_largest_picture_there_are():
    def png(width: int, height: int) -> bytes:
        return cv2.imencode(".png", np.zeros((height, width), np.uint8))[1].tobytes()

    data = png(1, 1)
    one = measure({"image": data, "image_id": image_id(data)})
    assert (one["width"], one["height"]) == (1, 1) and one["measures"]["zero_frac"] == 1
    data = png(10_000, 10_000)
    large = measure({"image": data, "image_id": image_id(data)})
    assert (large["width"], large["height"]) == (10_000, 10_000)
    check_id, why = fault(png(10_001, 10_000))
    assert check_id == "A1" and "10001 x 10000 pixels, more than the limit" in why


def test_a_png_that_swells_is_refused_before_it_does():
    import struct
    import tracemalloc
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    zeros = zlib.compress(bytes(200_000_000), 9)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    text = head + chunk(b"zTXt", b"why\0\0" + zeros) + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")
    pixels = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    ) + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")  # fmt: skip
    for data in (text, pixels):
        tracemalloc.start()
        found = fault(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10_000_000, peak
        assert found is None or found[0] == "A1"
    assert found and "more" in found[1]


def test_headers_read_without_pillow_are_those_that_pillow_reads(real_data):
    from mlops_nb.images import pixels

    files = sorted(
        p
        for s in ("coco128-train", "otonom-coco", "malformed", "kitti-mini")
        for p in real_data(s).rglob("*")
        if p.suffix.lower() in (".jpg", ".jpeg")
    )
    plain = 0
    for path in files:
        data = path.read_bytes()
        if pixels._frame_header(data) is None:
            continue
        plain += 1
        try:
            image, header = pixels.unpack(data)
        except ValueError:
            continue
        slow = pixels._opened(data, 10**8)
        assert np.array_equal(image, pixels._pixels(slow, data)), path
        assert header == pixels._header(slow, data), path
    assert plain > 200


# Duplicates


def twin(seed: int, name: str, **known) -> dict:
    row = sample(seed, **known) | {"sample_id": f"smp:{name}", "source": f"cam/{name}.png"}
    return row | {"leaf": leaf(row)}


@pytest.mark.parametrize("splits, gone", [
    (("train", "test"), {"smp:a": "B3"}),
    (("test", "train"), {"smp:b": "B3"}),
    (("train", "val"), {"smp:a": "B3"}),
    (("val", "test"), {"smp:a": "B3"}),
    (("train", "train"), {"smp:b": "B1"}),
    ((None, None), {"smp:b": "B1"}),
])  # fmt: skip
def test_of_two_copies_one_stays_and_is_named(splits, gone):
    rows = [twin(1, name, split=s) for name, s in zip("ab", splits, strict=True)]
    found = check(rows, LOOSE)
    assert {f.sample_id: f.check for f in found if f.severity == "E"} == gone
    (kept,) = {"smp:a", "smp:b"} - set(gone)
    assert f"cam/{kept[-1]}.png" in found[0].message  # the counterpart


def test_copies_that_disagree_all_go():
    rows = [twin(1, "a"), twin(1, "b", label="yield"), *GOOD]
    found = check(rows, LOOSE)
    assert errors(found) == {"smp:a", "smp:b"} and "different" in found[0].message


def test_a_damaged_copy_does_not_push_out_a_good_one():
    rows = [twin(1, "a", split="test", boxes=[box(5, 5, 1, 1)]), twin(1, "b", split="train")]
    assert errors(check(rows, LOOSE)) == {"smp:a"}


def test_drives_and_tracks_in_two_splits():
    rows = [sample(k, split=s, drive="d1", track="t1") for k, s in ((1, "train"), (2, "test"))]
    assert said(rows) == [("B4", "E", "drives"), ("B6", "W", "tracks")]
    apart = [sample(k, split=s, drive=s, track="t1") for k, s in ((1, "train"), (2, "test"))]
    assert said(apart) == []  # every drive counts its tracks from one
    assert errors(check(rows, LOOSE)) == set()  # no sample is at fault, the division is


# Classes


def test_unknown_rare_and_misspelt_classes():
    known = replace(LOOSE, classes=("stop", "yield"))
    found = said(
        [*GOOD, sample(1, label="stpo"), sample(2, boxes=[box(1, 1, 9, 9, name="x")])], known
    )
    assert [f for f in found if f[:2] == ("C4", "E")] == [
        ("C4", "E", "cam/1.png"),
        ("C4", "E", "cam/2.png"),
    ]
    assert ("C10", "W", "yield") in found  # declared and never seen
    rare = said([*GOOD, sample(1, label="no entry"), sample(2, label="No_Entry")], Contract())
    assert ("C4", "W", "No_Entry, no entry") in rare
    assert Counter(f[0] for f in rare)["C10"] == 2


def test_every_check_has_a_title():
    rows = [*GOOD, sample(1, boxes=[box(4, 4, 30, 9)]), sample(2, label=None)]
    assert {f.check for f in check(rows)} <= set(CHECKS) and len(CHECKS) >= 20


# The verb


def camera(root, n: int = 14):
    "A folder of drives, with a table."
    root.mkdir(exist_ok=True)
    with open(root / "metadata.csv", "w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["file_name", "class", "drive", "split"])
        for k in range(n):
            (root / f"{k}.png").write_bytes(encode(frame(k)))
            table.writerow([f"{k}.png", "stop", f"drive-{k}", "test" if k % 4 == 0 else "train"])
    return root


def test_a_duplicate_across_splits_goes_with_its_reason(ws, tmp_path):
    root = camera(tmp_path / "cam")
    (root / "1.png").write_bytes((root / "0.png").read_bytes())  # 0 is test, 1 is train
    ingest(ws, root, "signs")
    done = validate(ws, "signs")
    (gone,) = quarantine(ws, "signs").to_pylist()
    assert (gone["check"], gone["source"], gone["split"]) == ("B3", "cam/1.png", "train")
    assert "cam/0.png in test" in gone["message"] and gone["remedy"]
    assert gone["image"] == (root / "1.png").read_bytes()
    assert (done.checked, done.quarantined, resolve(ws, "signs").rows) == (14, 1, 13)
    act = acts(ws, verb="validate")[-1]
    assert act.outputs[0] == done.digest and act.facts["quarantined"] == 1
    assert ingest(ws, root, "signs").quarantined == 1  # refused again, not added again
    assert resolve(ws, "signs").digest == done.digest


def test_validating_again_reads_the_findings_back(ws, tmp_path):
    ingest(ws, camera(tmp_path / "cam"), "signs")
    first = validate(ws, "signs")
    again = validate(ws, "signs")
    assert again == first and len(acts(ws, verb="validate")) == 1
    assert stored_findings(ws, "signs") == first.findings
    strict = validate(ws, "signs", contract=Contract(classes=("yield",)))
    assert strict.quarantined == 14 and resolve(ws, "signs").rows == 0
    with pytest.raises(DataError, match="holds no sample"):
        tag(ws, "signs", "v1")


def test_measures_are_taken_once_and_kept_out_of_the_digest(ws, tmp_path):
    before = ingest(ws, camera(tmp_path / "cam"), "signs").digest
    decoded = []
    assert validate(ws, "signs", progress=decoded.append).digest == before
    assert decoded == [14]
    row = read(ws, "signs").to_pylist()[0]
    assert (row["width"], row["height"]) == (24, 24) and 0.4 < row["brightness"] < 0.6
    split(ws, "signs")
    validate(ws, "signs", progress=decoded.append)
    assert decoded == [14]  # a new digest, checked again, without decoding


def test_a_torn_drive_blocks_the_tag_until_it_is_split_well(ws, tmp_path):
    root = camera(tmp_path / "cam")
    table = (root / "metadata.csv").read_text().replace("drive-1,", "drive-0,")
    (root / "metadata.csv").write_text(table)
    ingest(ws, root, "signs")
    done = validate(ws, "signs")
    assert [f.check for f in done.blocking] == ["B4"] and done.quarantined == 0
    with pytest.raises(DataError, match="did not pass"):
        tag(ws, "signs", "v1")
    split(ws, "signs", fractions={"train": 0.5, "val": 0.5})
    assert validate(ws, "signs").blocking == ()
    assert tag(ws, "signs", "v1") == "signs@v1"


def test_an_older_version_is_reported_and_not_changed(ws, tmp_path):
    root = camera(tmp_path / "cam")
    (root / "1.png").write_bytes((root / "0.png").read_bytes())
    old = ingest(ws, root, "signs")
    camera(root, 16)
    new = ingest(ws, root, "signs")
    done = validate(ws, old.ref)
    assert (done.digest, done.quarantined, len(done.findings) > 0) == (old.digest, 0, True)
    assert resolve(ws, "signs").digest == new.digest and quarantine(ws, "signs").num_rows == 0
    with pytest.raises(DataError, match="did not pass"):
        tag(ws, old.ref, "v1")


def test_a_row_written_past_the_verbs_is_found(ws, tmp_path):
    ingest(ws, camera(tmp_path / "cam"), "signs")
    validate(ws, "signs")
    row = read(ws, "signs", columns=["sample_id", "leaf"]).to_pylist()[0]
    forged = {"sample_id": row["sample_id"], "label": "yield", "leaf": "0" * 64}
    update_rows(ws, "signs", pa.Table.from_pylist([forged]))
    assert [f.check for f in validate(ws, "signs").findings if f.severity == "E"] == ["H1"]

"Contracts, reports, and what becomes of a sample in quarantine."

import io
import json

import numpy as np
import pytest
from PIL import Image

from mlops_nb.data import (
    Contract,
    ingest,
    mend,
    quarantine,
    read,
    release,
    resolve,
    set_contract,
    validate,
    validation_report,
    waiting,
)
from mlops_nb.data.contracts import contract
from mlops_nb.data.measuring import measure
from mlops_nb.images.pixels import encode, image_id
from mlops_nb.ledger import acts, record
from mlops_nb.workspace import DataError


def coco(root, n=4, wide=40):
    "Pictures with a box each; that of the last one sticks out."
    root.mkdir(exist_ok=True)
    images = [{"id": k, "file_name": f"{k}.png", "width": 64, "height": 48} for k in range(n)]
    boxes = [{"id": k, "image_id": k, "category_id": 1, "bbox": [4 + 30 * (k == n - 1), 4, wide, 30]}
             for k in range(n)]  # fmt: skip
    for k in range(n):
        picture = np.random.default_rng(k).integers(0, 255, (48, 64, 3)).astype(np.uint8)
        (root / f"{k}.png").write_bytes(encode(picture))
    said = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "stop"}]}
    (root / "labels.json").write_text(json.dumps(said))
    return root


def test_a_released_sample_stays_until_its_content_changes(ws, tmp_path):
    root = coco(tmp_path / "cam")
    ingest(ws, root, "signs")
    assert validate(ws, "signs").quarantined == 1
    (held,) = waiting(ws, "signs").to_pylist()
    back = release(ws, "signs", held["quarantine_id"], reason="half in the picture", by="chris")
    assert (back.source, resolve(ws, "signs").digest) == ("cam/3.png", back.digest)
    act = acts(ws, verb="release")[-1]
    assert (act.by, act.facts["reason"], act.outputs) == (
        "chris",
        "half in the picture",
        (back.digest,),
    )
    again = validate(ws, "signs")
    (kept,) = (f for f in again.findings if f.check == "C1")
    assert again.quarantined == 0 and kept.severity == "W" and "Released by chris" in kept.message
    assert ingest(ws, root, "signs").unchanged == 4 and waiting(ws, "signs").num_rows == 0
    coco(root, wide=50)  # other boxes: they are looked at anew
    ingest(ws, root, "signs")
    assert validate(ws, "signs").quarantined == 1
    assert {row["content"] for row in waiting(ws, "signs").to_pylist()} > {held["content"]}


def test_a_mended_sample_comes_back_and_is_checked_like_any_other(ws, tmp_path):
    root = coco(tmp_path / "cam")
    ingest(ws, root, "signs")
    validate(ws, "signs")
    (held,) = waiting(ws, "signs").to_pylist()
    good = {"class": "stop", "x0": 34, "y0": 4, "x1": 64, "y1": 34}
    for wrong, said in (({"lable": "x"}, "'label'"), ({"boxes": [{"class": "a"}]}, "lacks x0"),
                        ({"split": "dev"}, "'dev'"), ({}, "as it is")):  # fmt: skip
        with pytest.raises(DataError, match=said):
            mend(ws, "signs", held["quarantine_id"], wrong)
    mend(ws, "signs", held["quarantine_id"], {"boxes": [good | {"x1": 99}]}, by="chris")
    assert validate(ws, "signs").quarantined == 1  # still sticks out; the other content is kept too
    assert len({row["content"] for row in quarantine(ws, "signs").to_pylist()}) == 2
    mine = next(row for row in waiting(ws, "signs").to_pylist() if row["boxes"][0]["x1"] == 99)
    mend(ws, "signs", mine["quarantine_id"], {"boxes": [good], "weather": "rain"}, by="chris")
    assert validate(ws, "signs").quarantined == 0 and waiting(ws, "signs").num_rows == 0
    row = read(ws, "signs", where="source = 'cam/3.png'").to_pylist()[0]
    assert (row["weather"], row["boxes"][0]["x1"]) == ("rain", 64)
    assert [act.by for act in acts(ws, verb="mend")] == ["chris", "chris"]
    assert ingest(ws, root, "signs").unchanged == 4


def test_what_cannot_be_read_cannot_be_released(ws, tmp_path):
    root = coco(tmp_path / "cam")
    (root / "0.png").write_bytes((root / "0.png").read_bytes()[:500])
    ingest(ws, root, "signs")
    validate(ws, "signs")
    bad = next(row for row in waiting(ws, "signs").to_pylist() if row["check"] == "A1")
    with pytest.raises(DataError, match="mend the file"):
        release(ws, "signs", bad["quarantine_id"], reason="looks fine")
    with pytest.raises(DataError, match="needs a reason"):
        release(ws, "signs", bad["quarantine_id"], reason=" ")
    with pytest.raises(DataError, match="0 samples wait"):
        release(ws, "signs", "nothing", reason="x")


# Contracts

TEXT = """
classes = ["stop"]
severity = { C1 = "W" }
[off]
C10 = "four pictures are an example"
[sensors."front left"]
sizes = [[64, 48]]
hood = [0, 0.9, 1, 1]
[frames]
max_aspect = 2
"""


def test_a_contract_is_kept_and_changes_what_is_found(ws, tmp_path):
    ingest(ws, coco(tmp_path / "cam"), "signs")
    (tmp_path / "signs.toml").write_text(TEXT)
    first = set_contract(ws, "signs", tmp_path / "signs.toml", by="chris")
    assert set_contract(ws, "signs", Contract.from_toml(TEXT)) == first
    assert [act.by for act in acts(ws, verb="contract")] == ["chris"]
    assert contract(ws, "signs") == Contract.from_toml(TEXT)
    done = validate(ws, "signs")
    assert {(f.check, f.severity) for f in done.findings} == {("C1", "W")} and done.quarantined == 0
    assert acts(ws, verb="validate")[-1].facts["contract"] == first == done.contract.id
    assert done.contract.input_rules()["sizes"] == {"front left": [[64, 48]]}
    assert validate(ws, "signs", contract=Contract()).quarantined == 1


@pytest.mark.parametrize("text, said", [
    ("max_pixel = 1", "max_pixels"), ("[frames]\nmax_apsect = 2", "max_aspect"),
    ("[sensors.front]\nhorizont = 0.3", "horizon"), ("severity = {A6 = 'X'}", "'E'"),
    ("off = {A6 = ' '}", "without a reason"), ("[frames]\nmax_aspect = 'wide'", "float"),
    ("frames = 3", "no table"), ("classes = [", "TOML"),
])  # fmt: skip
def test_what_a_contract_may_not_say(text, said):
    with pytest.raises(DataError, match=said):
        Contract.from_toml(text)


def test_contracts_come_back_from_their_file_as_they_were():
    odd = Contract.from_toml(TEXT + "[split]\nfractions = {train = 0.8, test = 0.2}\n")
    odd = Contract(classes=('a "b"', "ü\n", "\x7f"), off={"A1.x y": "why"}, sensors=odd.sensors,
                   split=odd.split, frames=odd.frames)  # fmt: skip
    assert Contract.from_toml(odd.to_toml()) == odd and Contract.from_toml("") == Contract()


# What models have seen


def test_a_frame_a_model_was_trained_on_leaves_the_test_part(ws, tmp_path):
    root = coco(tmp_path / "cam", wide=20)
    first = ingest(ws, root, "signs", split="train")
    validate(ws, "signs")
    record(
        ws, "run", inputs=[first.digest], outputs=["bundle:" + "0" * 64], facts={"step": "train"}
    )
    ingest(ws, root, "later", split="test")
    found = validate(ws, "later")
    assert {f.check for f in found.findings if f.severity == "E"} == {"B7"}
    assert found.quarantined == 4
    assert "signs@" in next(f.message for f in found.findings if f.check == "B7")


# The report


def test_the_report_shows_findings_and_escapes_names(ws, tmp_path):
    root = coco(tmp_path / "cam")
    (root / "<i>x.png").write_bytes(b"no picture")
    ingest(ws, root, "signs")
    page, data = validation_report(ws, validate(ws, "signs"), folder=tmp_path / "out")
    html, said = page.read_text(), json.loads(data.read_text())
    assert "<i>x" not in html and html.count("data:image/jpeg") >= 1 and "http" not in html
    assert said["quarantined"] == 1 and said["counts"]["C1"] == 1 and said["findings"][0]["remedy"]


# Bad pictures


def file_of(image, form="PNG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def measured(data):
    return measure({"image": data, "image_id": image_id(data)})


def test_odd_pictures_are_measured_or_refused_with_a_reason():
    grey = Image.fromarray(np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20)
    tags = Image.Exif()
    tags[0x0112] = 6
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    assert measured(file_of(Image.new("RGB", (1, 1))))["width"] == 1
    assert measured(file_of(noise.convert("CMYK"), "JPEG"))["measures"]["channels"] == 4
    assert measured(file_of(grey))["measures"]["bits"] == 16
    moving = file_of(noise, "GIF", save_all=True, append_images=[noise.rotate(90)])
    assert measured(moving)["measures"]["frames"] == 2
    turned = measured(file_of(noise, "JPEG", exif=tags))
    assert (turned["width"], turned["height"], turned["measures"]["orientation"]) == (48, 64, 6)
    bomb = file_of(Image.new("1", (20_000, 20_000)))
    assert measured(bomb)["fault"][0] == "A1" and "limit" in measured(bomb)["fault"][1]
    hollow = np.full((48, 64), np.nan, np.float32)
    assert measured(file_of(Image.fromarray(hollow), "TIFF"))["fault"][0] == "A16"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_a_hundred_million_pixels_is_measured():
    large = measured(file_of(Image.new("L", (10_000, 10_000), 90)))
    assert (large["width"], round(large["brightness"] * 255)) == (10_000, 90)

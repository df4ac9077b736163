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


# What models have seen, what there was nothing to look at for, what the caller hands over


def scenes(root, seeds, **facts):
    "One JPEG a seed, with facts in a metadata.csv."
    root.mkdir(parents=True, exist_ok=True)
    lines = [",".join(["file_name", "class", *facts])]
    for k, seed in enumerate(seeds):
        small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3)).astype(np.uint8)
        picture = np.kron(small, np.ones((12, 12, 1), np.uint8))
        (root / f"{seed}.jpg").write_bytes(encode(picture, "jpeg", quality=95))
        lines.append(",".join([f"{seed}.jpg", "stop", *(str(v[k]) for v in facts.values())]))
    (root / "metadata.csv").write_text("\n".join(lines))
    return root


def trained_on(ws, ref, tmp_path):
    "A step of the pipeline takes a version and leaves a bundle: that is all a training is here."
    import nbformat

    from mlops_nb import Step, run

    page = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "p"}}
    )
    first = nbformat.v4.new_code_cell('data: str = ""\nrun_id: str = ""')
    first.metadata["tags"] = ["parameters"]
    said = "from mlops_nb import emit\nemit(bundle='bundle:' + '0' * 64)"
    page.cells = [first, nbformat.v4.new_code_cell(said)]
    path = tmp_path / "train.ipynb"
    nbformat.write(page, path)
    assert run(ws, [Step("train", path, {"data": ref})]).steps[0].status == "ran"


def test_what_any_model_was_trained_on_is_found_again_end_to_end(ws, tmp_path):
    from mlops_nb.data import tag

    old = {"drive": [f"d{k}" for k in range(6)], "sensor": ["front"] * 6,
           "captured_at": [f"2026-01-31T08:{k:02}:00Z" for k in range(6)]}  # fmt: skip
    ingest(ws, scenes(tmp_path / "old", range(6), **old), "signs", split="train")
    validate(ws, "signs")
    ref = tag(ws, "signs", "v1")
    ingest(ws, scenes(tmp_path / "near", [0]), "later", split="test")
    assert not [f for f in validate(ws, "later").findings if f.check == "B7"]
    assert "trained" in validate(ws, "later").unchecked["B7"]
    trained_on(ws, ref, tmp_path)

    import cv2  # the same picture, compressed anew: another image id, nearly the same hash

    near = tmp_path / "near2"
    scenes(near, [0, 50])
    pixels = cv2.imread(str(near / "0.jpg"))
    (near / "0.jpg").write_bytes(
        cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()
    )
    ingest(ws, near, "later", split="test")
    done = validate(ws, "later")
    found = {(f.source, f.severity): f.message for f in done.findings if f.check == "B7"}
    assert set(found) == {("near/0.jpg", "E"), ("near2/0.jpg", "E")}
    assert (
        "signs@v1" in found["near2/0.jpg", "E"]
        and "looks like old/0.jpg" in found["near2/0.jpg", "E"]
    )
    assert done.quarantined == 2 and "B7" not in done.unchecked

    # another version of the same dataset: drives, tracks and times come back, the pictures do not
    new = {"drive": ["d1", "x"], "sensor": ["front"] * 2,
           "captured_at": ["2026-03-01T08:00:00Z", "2026-01-31T08:04:01Z"]}  # fmt: skip
    ingest(ws, scenes(tmp_path / "new", [70, 71], **new), "signs", split="test")
    root = scenes(tmp_path / "old", range(6), **old | {"drive": [f"e{k}" for k in range(6)]})
    ingest(ws, root, "signs", split="val")  # now nothing of it is in training here
    words = [f.message for f in validate(ws, "signs").findings if f.check == "B7"]
    assert any("1 of the 2 drives of test: d1 in signs@v1" in one for one in words), words
    assert any(
        "1 frames lie within 2 s" in one and "new/71.jpg is 1.0 s" in one for one in words
    ), words


def test_it_is_said_which_checks_had_nothing_to_look_at(ws, tmp_path):
    ingest(ws, coco(tmp_path / "cam", wide=20), "signs")
    done = validate(ws, "signs")
    assert (
        done.unchecked["E2"] == "no calibration"
        and done.unchecked["D1"] == "no drive, no captured_at"
    )
    assert not {"A1", "B1", "C1", "C4"} & done.unchecked.keys()
    assert validate(ws, "signs").unchecked == done.unchecked  # read back from the ledger
    html, data = validation_report(ws, done, folder=tmp_path / "report")
    assert json.loads(data.read_text())["unchecked"] == done.unchecked
    page = html.read_text()
    assert "Nothing to look at" in page and "no calibration" in page
    off = Contract.from_toml('off = { E2 = "no rig" }')
    assert "E2" not in validate(ws, "signs", contract=off).unchecked


def test_what_the_caller_hands_over_reaches_the_checks(ws, tmp_path):
    ingest(ws, scenes(tmp_path / "a", range(12), drive=[f"d{k}" for k in range(12)]), "signs")
    ingest(ws, scenes(tmp_path / "b", range(100, 112), drive=[f"e{k}" for k in range(12)]), "other")
    validate(ws, "other")
    ids = {
        name: read(ws, name, columns=["sample_id", "label"]).to_pylist()
        for name in ("signs", "other")
    }
    rng = np.random.default_rng(0)
    far = {"signs": 9.0, "other": 0.0}
    vectors = {
        row["sample_id"]: rng.normal(far[name], 1, 4) for name, rows in ids.items() for row in rows
    }
    alone = validate(ws, "signs")
    assert {"F3", "H3", "C13", "G1", "H7"} <= alone.unchecked.keys()
    seen = validate(ws, "signs", vectors=vectors, reference="other")
    assert [f.source for f in seen.findings if f.check == "H3"] == ["embeddings"]
    assert not {"F3", "H3", "H4"} & seen.unchecked.keys()
    same = {key: rng.normal(0, 1, 4) for key in vectors}
    quiet = validate(ws, "signs", vectors=same, reference="other")
    assert not [f for f in quiet.findings if f.check == "H3"]  # other vectors are another question

    def plates(image):
        assert image.shape == (72, 96, 3)
        return [{"class": "plate", "x0": 4, "y0": 4, "x1": 40, "y1": 20, "score": 0.9}]

    held = validate(ws, "signs", detector=plates)
    assert {f.check for f in held.findings if f.severity == "E"} == {
        "G1"
    } and held.quarantined == 12


def test_the_command_hands_over_and_tells(ws, tmp_path, capsys, monkeypatch):
    from mlops_nb.cli import main

    monkeypatch.setenv("MLOPS_NB_WORKSPACE", str(ws.root))
    ingest(ws, scenes(tmp_path / "a", range(4)), "signs")
    ingest(ws, scenes(tmp_path / "b", range(10, 14)), "other")
    main(["validate", "signs"])
    told = capsys.readouterr().out
    assert "checks had nothing to look at" in told and "E2" in told and "H3" in told
    (tmp_path / "finders.py").write_text("def nobody(image):\n    return []\n")
    monkeypatch.syspath_prepend(tmp_path)
    more = ["--reference", "other", "--vectors", "--pixels", "--detector", "finders:nobody"]
    main(["--json", "validate", "signs", *more])
    lacking = json.loads(capsys.readouterr().out)["unchecked"]
    assert not {"F3", "H3", "H4", "H7", "G1"} & lacking.keys() and "C13" in lacking
    with pytest.raises(SystemExit):
        main(["validate", "signs", "--detector", "finders:nobody_else"])
    assert "Write package.module:name" in capsys.readouterr().err

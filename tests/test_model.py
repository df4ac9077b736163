"A model leaves whole: parity, identity, tampering, batches, tables."

import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from torch import nn

from mlops_nb.model import (
    MAX_SCORE_DIFF,
    Parity,
    export,
    load_bundle,
    predict,
    predict_table,
    preprocess,
    store_bundle,
)
from mlops_nb.model.bundles import _write_bundle
from mlops_nb.model.exporting import _require_parity, _served
from mlops_nb.workspace import ModelError

CLASSES = ("stop", "yield", "no_entry", "keep_right")
LOOKS = {"size": (48, 48), "mean": (0.5, 0.4, 0.3), "std": (0.25, 0.3, 0.2)}
STORY = {"data": "data:" + "0" * 64, "run": "run:test"}


def noise(n, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def network(classes=4, seed=0):
    torch.manual_seed(seed)
    body = []
    for before, after in ((3, 16), (16, 32)):
        conv = nn.Conv2d(before, after, 3, padding=1)
        body += [conv, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    head = nn.Linear(32, classes)
    nn.init.normal_(head.weight, std=3)
    return nn.Sequential(*body, nn.Dropout(0.5), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def png(image):
    out = io.BytesIO()
    Image.fromarray(image).save(out, format="png")
    return out.getvalue()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "signs"
    images = [*noise(8, 32, 32), *noise(4, 90, 70)]
    return export(network(), folder, classes=CLASSES, **LOOKS, **STORY, example_images=images)


@pytest.mark.parametrize(
    "shape", [(15, 15), (16, 250), (32, 32), (48, 48), (49, 47), (96, 96), (300, 400), (400, 300)]
)
def test_onnx_answers_as_torch_at_every_size(bundle, shape):
    images = noise(12, *shape, seed=shape[0])
    with torch.no_grad():
        expected = _served(network(), **LOOKS)(torch.from_numpy(images)).numpy()
    got = predict(bundle, images)
    assert np.abs(got.scores - expected).max() <= MAX_SCORE_DIFF
    assert got.labels == tuple(CLASSES[k] for k in expected.argmax(1))


def test_what_shrinks_is_averaged_not_skipped():
    pixels = preprocess(
        torch.from_numpy(noise(1, 480, 480)), size=(48, 48), mean=(0,) * 3, std=(1,) * 3
    )
    assert abs(pixels.mean() - 0.5) < 0.01 and pixels.std() < 0.05  # 100 pixels in one


def test_an_answer_does_not_depend_on_the_company(bundle):
    images = [*noise(5, 32, 32), *noise(3, 61, 47), *noise(2, 15, 15), noise(1, 33, 32)[0]]
    together = predict(bundle, images)
    assert together.scores.shape == (len(images), len(CLASSES))
    assert together.scores.dtype == np.float32
    for k, image in enumerate(images):
        alone = predict(bundle, [image], threads=1)
        assert alone.labels[0] == together.labels[k]
        assert (alone.scores[0] == together.scores[k]).all()


def test_scores_are_probabilities(bundle):
    scores = predict(bundle, [np.zeros((9, 9, 3), np.uint8), *noise(20, 40, 40)]).scores
    assert np.isfinite(scores).all() and (scores >= 0).all()
    assert np.abs(scores.sum(1) - 1).max() < 1e-5


def test_no_images_no_predictions(bundle):
    nothing = predict(bundle, [])
    assert nothing.labels == () and nothing.scores.shape == (0, 4) and nothing.top.shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.zeros((0, 4, 3), np.uint8),
        "a path",
    ],
)
def test_what_is_no_image_is_named(bundle, wrong):
    with pytest.raises(ModelError, match=r"1 of 2 images .*image 1 is"):
        predict(bundle, [np.zeros((4, 4, 3), np.uint8), wrong])


def test_the_same_network_gives_the_same_graph_and_stays_as_it_was(bundle, tmp_path):
    mine = network().train()
    before = {name: value.clone() for name, value in mine.state_dict().items()}
    looks = {"classes": CLASSES, **LOOKS, **STORY, "example_images": noise(2, 20, 20)}
    again = export(mine, tmp_path / "b", **looks)
    assert again.files["model.onnx"] == bundle.files["model.onnx"]
    raw = again.model.read_bytes()
    assert b".py" not in raw and b"/site-packages" not in raw and b"stack_trace" not in raw
    assert mine.training
    assert all((before[name] == value).all() for name, value in mine.state_dict().items())


def test_export_spills_nothing(tmp_path):
    code = f"""
import numpy as np, torch
from mlops_nb.model import export
net = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2))
export(net, {str(tmp_path / "b")!r}, classes=("a", "b"), mean=(0,) * 3, std=(1,) * 3,
       example_images=np.zeros((1, 8, 8, 3), np.uint8), data="data:0", run="run:0")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_fault_is_reported_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(ModelError) as caught:
        export(
            network(),
            tmp_path / "b",
            classes=("stop", "stop"),
            size=(0, 4),
            mean=(0.5, float("nan"), 0.5),
            std=(1, 1, 0),
            thresholds={"elephant": 0.5, "stop": 1.5},
            example_images=[],
            **STORY,
        )
    for part in ("distinct", "size", "mean", "std", "elephant", "stop=1.5", "no example images"):
        assert part in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_wrong_number_of_classes_is_refused(tmp_path):
    with pytest.raises(ModelError, match="gives 4 scores per image and 3 classes"):
        three = CLASSES[:3]
        export(
            network(),
            tmp_path / "b",
            classes=three,
            **LOOKS,
            **STORY,
            example_images=noise(1, 9, 9),
        )
    assert not list(tmp_path.iterdir())


def test_a_diverged_network_is_refused(tmp_path):
    sick = network()
    sick[-1].bias.data[0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinite"):
        export(
            sick, tmp_path / "b", classes=CLASSES, **LOOKS, **STORY, example_images=noise(1, 9, 9)
        )
    assert not list(tmp_path.iterdir())


def test_a_bundle_carries_the_input_rules_of_its_contract(tmp_path):
    from mlops_nb.data import Contract
    from mlops_nb.model.rules import broken_rules

    contract = Contract.from_toml('severity = {A6 = "E"}\nclasses = ["stop", "yield", "no_entry", '
                                  '"keep_right"]\n[sensors.front]\nsizes = [[48, 48]]')  # fmt: skip
    given = {"classes": CLASSES, **LOOKS, **STORY, "example_images": noise(2, 48, 48)}
    made = export(network(), tmp_path / "b", rules=contract.input_rules(), **given)
    again = load_bundle(tmp_path / "b")
    assert again.rules == contract.input_rules() and again.id == made.id
    assert contract.id in (made.folder / "card.md").read_text()
    dark = broken_rules(again.rules, noise(1, 40, 48)[0] // 64)
    assert [(one.rule, one.refused) for one in dark] == [("sizes", False), ("brightness", True)]
    few = contract.input_rules() | {"classes": ["stop"], "brightnes": [0, 1]}
    with pytest.raises(ModelError, match="'brightnes' is unknown; the contract does not know the"):
        export(network(), tmp_path / "c", rules=few, **given)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("parity", [Parity(5, 2e-5, True), Parity(5, 1e-7, False)])
def test_no_parity_no_bundle(parity):
    with pytest.raises(ModelError, match="disagree on 5 example images"):
        _require_parity(parity)
    _require_parity(Parity(5, 9e-6, True))


def test_export_replaces_a_bundle_and_nothing_else(bundle, tmp_path):
    give = {"classes": CLASSES, **LOOKS, **STORY, "example_images": noise(1, 9, 9)}
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match="no bundle"):
        _write_bundle(tmp_path, {}, {})
    shutil.copytree(bundle.folder, tmp_path / "b")
    one, image = load_bundle(tmp_path / "b"), noise(1, 48, 48)
    before = predict(one, image).scores
    two = export(network(seed=2), tmp_path / "b", **give, files={"reference.json": b"{}"})
    assert one.id == bundle.id != two.id == load_bundle(tmp_path / "b").id
    assert not np.allclose(before, predict(two, image).scores)  # no stale session answers
    assert (tmp_path / "b" / "reference.json").read_bytes() == b"{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["model.onnx", "card.md", "bundle.json"])
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_one_changed_byte_is_noticed(ws, bundle, name, harm):
    stored = store_bundle(ws, bundle.folder)
    path = stored.folder / name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(bytes(raw) if harm == "flip" else bytes(raw[: len(raw) // 2]))
    with pytest.raises(ModelError, match=r"\. [A-Z]"):
        load_bundle(ws, stored.id)
    assert load_bundle(bundle.folder).id == stored.id


def test_store_keeps_one_whoever_comes_at_once(ws, bundle):
    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(lambda _: store_bundle(ws, bundle.folder), range(16)))
    assert {each.id for each in stored} == {bundle.id}
    (only,) = ws.path("bundles").iterdir()
    assert only.name == bundle.id.removeprefix("bundle:")
    assert load_bundle(ws, bundle.id).classes == CLASSES


@pytest.mark.parametrize("id", ["bundle:" + "0" * 64, "bundle:../../etc", "signs@v1", None])
def test_an_unknown_bundle_is_named(ws, id):
    with pytest.raises(ModelError):
        load_bundle(ws, id)


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(ModelError, match="no bundle.json"):
        load_bundle(tmp_path)


def data_table(images, **columns):
    names = [f"img:{k}" for k in range(len(images))]
    base = {"image_id": names, "image": [png(image) for image in images]}
    return pa.table(base | {"label": ["stop"] * len(images)} | columns)


def test_a_table_is_answered_in_order_with_its_facts(bundle):
    images = [*noise(5, 32, 32), *noise(5, 40, 28, seed=1)]
    table = data_table(images, clip=["a"] * 5 + ["b"] * 5, weather=["snow"] * 10)
    answered = predict_table(bundle, table, batch=3)
    expected = predict(bundle, images)
    assert answered.column_names == [
        *("image_id", "clip", "label", "predicted", "score", "scores", "weather")
    ]
    assert answered["predicted"].to_pylist() == list(expected.labels)
    assert np.array_equal(np.array(answered["scores"].to_pylist(), np.float32), expected.scores)
    assert np.array_equal(answered["score"].to_numpy(), expected.top)
    assert answered["scores"].type == pa.list_(pa.float32())
    assert answered["clip"].to_pylist() == table["clip"].to_pylist()


def test_a_table_sliced_and_chunked_is_answered_alike(bundle):
    table = data_table(list(noise(9, 20, 20)))
    whole = predict_table(bundle, table)
    parts = pa.concat_tables([table.slice(0, 4), table.slice(4)])
    assert predict_table(bundle, parts).equals(whole)
    assert predict_table(bundle, table.slice(2, 3)).equals(whole.slice(2, 3))
    assert predict_table(bundle, table.slice(0, 0)).num_rows == 0


def test_an_undecodable_image_is_named(bundle):
    table = pa.table({"image_id": ["img:1"], "image": [b"nonsense"], "label": ["stop"]})
    with pytest.raises(ModelError, match="img:1 cannot be decoded"):
        predict_table(bundle, table)
    with pytest.raises(ModelError, match="lacks image"):
        predict_table(bundle, table.drop_columns(["image"]))


def test_opening_a_bundle_is_light(bundle):
    code = f"""
import sys
from mlops_nb.model import load_bundle
load_bundle({str(bundle.folder)!r})
print(sorted({{"torch", "onnx", "pyarrow", "cv2", "mlflow", "lance"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

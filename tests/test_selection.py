"Vectors computed once, choices that are right, holes that are named."

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mlops_nb import selection
from mlops_nb.data import ingest, query, read
from mlops_nb.data.vectors import (
    append_vectors,
    drop_vectors,
    index_vectors,
    indexed_neighbours,
    known_vectors,
    read_vectors,
    vectors_path,
)
from mlops_nb.images.pixels import encode as write_image
from mlops_nb.model import bundle_encoder, encode, export, load_encoder, predict
from mlops_nb.selection import cover, coverage, embed, novel, similar, uncertain
from mlops_nb.selection.choosing import _capped, doubt, facility, k_centre
from mlops_nb.selection.domain import NOT_SAID
from mlops_nb.workspace import DataError, MlopsError, open_workspace

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def picture(seed: int, size: tuple[int, int] = (20, 20)) -> np.ndarray:
    "Coloured blocks, another arrangement for every seed."
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)
    return np.kron(small, np.ones((size[0] // 4, size[1] // 4, 1), np.uint8))


def film(root: Path, drives: int = 12, frames: int = 4, first: int = 0) -> Path:
    "Drives of near copies: each frame of a drive is the same picture, a little noisier."
    lines = ["file_name,class,drive,weather,light,speed_mps"]
    root.mkdir(parents=True, exist_ok=True)
    for drive in range(first, first + drives):
        for frame in range(frames):
            noise = np.random.default_rng([drive, frame]).integers(0, 9, (20, 20, 3))
            pixels = np.minimum(picture(drive).astype(int) + noise, 255).astype(np.uint8)
            (root / f"{drive}_{frame}.png").write_bytes(write_image(pixels))
            weather = ("clear", "rain", "fog")[drive % 3]
            light = "night" if drive % 4 == 0 else "day"
            speed = "" if drive == first else 10 * (drive % 4)
            label = "stop" if drive % 2 else "yield"
            lines.append(f"{drive}_{frame}.png,{label},drive-{drive},{weather},{light},{speed}")
    (root / "metadata.csv").write_text("\n".join(lines))
    return root


@pytest.fixture
def films(ws, tmp_path):
    ingest(ws, film(tmp_path / "films"), "films", format="image_folder")
    return ws


def column(table, name: str) -> list:
    return table[name].to_pylist()


@pytest.fixture(scope="module")
def colour_graph() -> bytes:
    "An encoder of which one knows what it says: the mean colour."
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["vectors"], keepdims=0),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", 8, 8, 3])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["N", 3])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    graph = helper.make_graph(nodes, "colour", [images], [vectors], [axes])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return made.SerializeToString()


# Encoders


def test_the_shipped_encoder_is_small_and_its_vectors_have_length_one():
    encoder = selection.shipped_encoder()
    assert len(encoder.graph) < 500_000
    images = [picture(k, (8 * (k + 1), 40)) for k in range(5)]
    vectors = encode(encoder, images)
    assert vectors.shape == (5, encoder.dims)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    one_by_one = np.concatenate([encode(encoder, [image]) for image in images])
    assert np.allclose(vectors, one_by_one, atol=1e-5), "a vector does not depend on its batch"


def test_the_shipped_encoder_travels_with_the_package():
    setup = (Path(__file__).resolve().parents[1] / "setup.py").read_text("utf-8")
    assert '"mlops_nb.selection": ["encoder.onnx"]' in setup


def test_the_shipped_encoder_finds_signs_of_gtsrb_better_than_pixels(real_data):
    from mlops_nb.images.pixels import decode

    root = real_data("gtsrb") / "Final_Training_32x32" / "Images"
    paths = [p for p in sorted(root.rglob("*.ppm")) if int(p.parent.name) % 4 == 0]
    images = [decode(path.read_bytes()) for path in paths]
    label = np.array([int(path.parent.name) for path in paths])
    track = np.array([f"{path.parent.name}/{path.name[:5]}" for path in paths])

    def precision(vectors):
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        alike = vectors @ vectors.T
        alike[track[:, None] == track[None]] = -9
        nearest = np.argsort(-alike, axis=1)[:, :10]
        return (label[nearest] == label[:, None]).mean()

    pixels = np.stack(images).reshape(len(images), -1).astype(np.float32)
    assert precision(encode(selection.shipped_encoder(), images)) > precision(pixels) + 0.05


def test_a_foreign_graph_and_its_faults(ws, tmp_path, colour_graph):
    path = tmp_path / "colour.onnx"
    path.write_bytes(colour_graph)
    found = selection.find_encoder(ws, path)
    assert found.dims == 3 and found.digest == load_encoder(colour_graph).digest
    by_setting = open_workspace(ws.root)
    by_setting.settings["encoder"] = str(path)
    assert selection.find_encoder(by_setting).digest == found.digest
    path.write_bytes(colour_graph[:100])
    with pytest.raises(MlopsError, match="colour is no ONNX graph"):
        selection.find_encoder(ws, path)
    with pytest.raises(MlopsError, match="has no output 'scores'. It has vectors"):
        load_encoder(colour_graph, output="scores")
    with pytest.raises(MlopsError, match="made for 8 x 8 pixels"):
        load_encoder(colour_graph, size=(9, 9))


def test_weights_in_16_bits_move_a_vector_by_less_than_a_thousandth():
    import torch

    from mlops_nb.model import export_encoder

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 16, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2)),
        *(torch.nn.Flatten(), torch.nn.Linear(64, 32)),
    )
    pixels = np.stack([picture(k) for k in range(20)])
    graph = export_encoder(network, size=(20, 20), mean=(0.4,) * 3, std=(0.25,) * 3)
    with torch.no_grad():
        scaled = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.4) / 0.25
        wanted = torch.nn.functional.normalize(network(scaled)).numpy()
    assert np.abs(encode(load_encoder(graph), list(pixels)) - wanted).max() < 1e-3


# Vectors


def test_vectors_are_computed_once_and_again_for_another_encoder(films, colour_graph):
    assert embed(films, "films").computed == 48
    assert embed(films, "films").computed == 0
    colour = load_encoder(colour_graph, name="colour")
    assert embed(films, "films", encoder=colour).computed == 48
    assert embed(films, "films").computed == 0
    assert len(list(films.path("data", "films").glob("vectors-*.lance"))) == 2
    before = similar(films, "films", to=picture(3), k=5)
    assert drop_vectors(films, "films") == 2
    assert similar(films, "films", to=picture(3), k=5).equals(before), "deleting loses time only"
    assert embed(films, "films").computed == 0


def test_a_new_version_needs_only_the_new_pixels(films, tmp_path):
    embed(films, "films")
    ingest(films, film(tmp_path / "more", drives=3, first=20), "films", format="image_folder")
    said = []
    done = embed(films, "films", progress=lambda n, of: said.append((n, of)))
    assert (done.images, done.computed) == (60, 12) and said[-1] == (12, 12)
    assert embed(films, "films@1").computed == 0


def test_another_process_finds_the_vectors(films):
    embed(films, "films")
    code = (
        "import sys; from mlops_nb import open_workspace, embed; "
        "print(embed(open_workspace(sys.argv[1]), 'films').computed)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(films.root)], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "0"


def test_a_killed_embed_goes_on_where_it_was(ws, tmp_path):
    ingest(ws, film(tmp_path / "films", drives=60, frames=4), "films", format="image_folder")
    code = """if True:
        import sys, time
        from mlops_nb import open_workspace, embed
        from mlops_nb.selection import embedding
        embedding.COMMIT_SECONDS = 0.0
        def slow(done, total):
            print(done, flush=True)
            time.sleep(0.05)
        embed(open_workspace(sys.argv[1]), "films", workers=1, progress=slow)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(ws.root)], stdout=subprocess.PIPE, text=True
    )
    for _ in range(3):
        child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    kept = len(known_vectors(ws, "films", selection.shipped_encoder().digest))
    assert 0 < kept < 240
    assert embed(ws, "films").computed == 240 - kept
    first = column(similar(ws, "films", to=picture(7), k=1), "sample_id")
    drop_vectors(ws, "films")
    assert column(similar(ws, "films", to=picture(7), k=1), "sample_id") == first


def test_a_crash_before_the_first_commit_leaves_nothing_in_the_way(films):
    path = vectors_path(films, "films", selection.shipped_encoder().digest)
    (path / "data").mkdir(parents=True)
    (path / "data" / "half.lance").write_bytes(b"begun")
    assert embed(films, "films").computed == 48
    assert embed(films, "films").computed == 0


def test_a_cache_made_again_with_other_images_is_read_anew(films):
    rain, fog = "weather = 'rain'", "weather = 'fog'"
    for where in (rain, fog, rain):
        drop_vectors(films, "films")
        assert similar(films, "films", to=picture(1), k=3, where=where).num_rows == 3


def test_a_damaged_cache_says_that_it_may_be_deleted(films):
    path = vectors_path(films, "films", selection.shipped_encoder().digest)
    embed(films, "films")
    for part in (path / "data").iterdir():
        part.write_bytes(b"x" * 10)
    with pytest.raises(DataError, match="They are a cache"):
        similar(films, "films", to=picture(0), k=1)
    shutil.rmtree(path)
    assert similar(films, "films", to=picture(0), k=1).num_rows == 1


def test_odd_images_are_embedded_and_broken_ones_are_named(ws, tmp_path):
    from PIL import Image

    folder = tmp_path / "odd"
    folder.mkdir()
    Image.new("L", (30, 20), 90).save(folder / "grey.png")
    Image.new("I;16", (30, 20), 9000).save(folder / "sixteen.png")
    Image.new("CMYK", (30, 20)).save(folder / "cmyk.jpg")
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    Image.new("RGB", (1, 3000), "red").save(folder / "line.png")
    Image.new("RGB", (5000, 5000), "green").save(folder / "huge.png")
    ingest(ws, folder, "odd", format="image_folder")
    assert embed(ws, "odd").images == 6
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    ingest(ws, folder, "odd", format="image_folder")
    with pytest.raises(DataError, match=r"1 of 7 images .*broken\.jpg.*Validate odd"):
        embed(ws, "odd")
    with pytest.raises(DataError, match=r"broken\.jpg"):
        cover(ws, "odd", k=2)
    good = "source not like '%broken%'"
    assert embed(ws, "odd", where=good).computed == 0
    assert cover(ws, "odd", k=6, where=good).num_rows == 6


def test_memory_stays_flat_over_five_thousand_images(ws, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(5000):
        pixels[0, :2] = number % 256, number // 256, 7
        (folder / f"{number}.jpg").write_bytes(
            write_image(np.roll(pixels, number, axis=1), "jpeg", 95)
        )
    ingest(ws, folder, "many", format="image_folder")
    size = sum(path.stat().st_size for path in folder.iterdir())
    code = """if True:
        import resource, sys
        from mlops_nb import open_workspace, embed
        from mlops_nb.selection import shipped_encoder
        ws = open_workspace(sys.argv[1])
        peaks = []
        def look(done, total):
            if done > 500 and not peaks or done == total:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        embed(ws, "many", progress=look)
        print(peaks[-1] - peaks[0])
    """
    out = subprocess.run(
        [sys.executable, "-c", code, str(ws.root)], capture_output=True, text=True, check=True
    )
    grown = int(out.stdout) * 1024
    assert size > 25e6 and grown < 25e6, f"{grown / 1e6:.0f} MB for {size / 1e6:.0f} MB of files"


# Index


def test_the_index_finds_what_looking_at_all_finds(ws):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(40, 16))
    many = centres[rng.integers(0, 40, 4000)] + 0.4 * rng.normal(size=(4000, 16))
    many = (many / np.linalg.norm(many, axis=1, keepdims=True)).astype(np.float32)
    digest, ids = "enc:" + "a" * 64, np.array([f"img:{k}" for k in range(4000)])
    append_vectors(ws, "many", digest, ids=ids[:3500].tolist(), matrix=many[:3500])
    assert index_vectors(ws, "many", digest, least=3000)
    append_vectors(ws, "many", digest, ids=ids[3500:].tolist(), matrix=many[3500:])
    hits = 0
    for row in (5, 900, 3600, 3999):  # the last two came after the index was made
        exact = set(ids[np.argsort(-(many @ many[row]))[:10]])
        near = indexed_neighbours(ws, "many", digest, vector=many[row], n=10)
        assert near[0][0] == ids[row] and near[0][1] == pytest.approx(0, abs=1e-5)
        hits += len(exact & {image for image, _ in near})
    assert hits >= 36
    assert index_vectors(ws, "many", digest, least=3000)


def test_similar_by_index_is_similar_by_looking_at_all(films, monkeypatch):
    from mlops_nb.selection import choosing, embedding

    exact = similar(films, "films", to=picture(5), k=6)
    digest = selection.shipped_encoder().digest
    assert index_vectors(films, "films", digest, least=10)
    monkeypatch.setattr(choosing, "INDEX_FROM", 10)
    monkeypatch.setattr(embedding, "index_vectors", lambda *a: True)
    assert similar(films, "films", to=picture(5), k=6).equals(exact)
    some = similar(films, "films", to=picture(5), k=48, where="weather = 'fog'", per_clip=None)
    assert some.num_rows == 16, "too few from the index: look at all"


# Similar


def test_an_image_is_most_similar_to_itself(films):
    rows = read(films, "films", columns=["sample_id", "image_id", "image"]).to_pylist()
    for row in rows[::7]:
        for to in (row["sample_id"], row["image_id"], row["image"]):
            found = similar(films, "films", to=to, k=3)
            assert found["sample_id"][0].as_py() == row["sample_id"]
            assert found["score"][0].as_py() == pytest.approx(0, abs=1e-5)
            assert column(found, "score") == sorted(column(found, "score"))


def test_at_most_so_many_of_a_clip_and_only_where(films):
    found = similar(films, "films", to=picture(3), k=20, where="weather = 'rain'", per_clip=2)
    rows = {row["sample_id"]: row for row in read(films, "films").to_pylist()}
    assert {rows[one]["weather"] for one in column(found, "sample_id")} == {"rain"}
    clips = column(found, "clip")
    assert len(clips) == 8 and max(map(clips.count, clips)) == 2
    assert (
        similar(films, "films", to=picture(3), k=4, per_clip=None)["clip"].to_pylist()
        == ["drive-3"] * 4
    )


@pytest.mark.parametrize("per_clip", [1, 2, 5])
def test_capping_is_walking_down_the_list(per_clip):
    rng = np.random.default_rng(per_clip)
    for _ in range(20):
        order, clips = rng.permutation(60), rng.integers(0, 9, 60)
        slow, taken = [], dict.fromkeys(range(9), 0)
        for row in order:
            if taken[clips[row]] < per_clip and len(slow) < 12:
                taken[clips[row]] += 1
                slow.append(row)
        assert _capped(order, clips, 12, per_clip).tolist() == slow


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda ws: similar(ws, "film", to=picture(1)), "films"),
        (lambda ws: similar(ws, "films", to="img:" + "0" * 64), "no sample or image 'img:000"),
        (lambda ws: similar(ws, "films", to="img:x' or '1'='1"), "no sample or image"),
        (lambda ws: similar(ws, "films", to=picture(1), k=0), "k=0"),
        (
            lambda ws: similar(ws, "films", to=picture(1), where="weather = 'hail'"),
            "no sample where",
        ),
        (lambda ws: similar(ws, "films", to=picture(1), where="wether = 'fog'"), "wether"),
        (lambda ws: novel(ws, "films", neighbours=50), "fewer neighbours"),
        (lambda ws: cover(ws, "films", by="center"), "by='centre'"),
        (lambda ws: embed(ws, "films", encoder="resnet18"), "torchvision:resnet18"),
        (lambda ws: query(ws, "films", "select wether from samples"), "wether"),
        (lambda ws: coverage(ws, "films", by="weather"), "by="),
        (lambda ws: coverage(ws, "films", by=("wether",)), "Did you mean 'weather'"),
        (lambda ws: coverage(ws, "films", by=("weather",), odd={"light": ["day"]}), "no axis"),
    ],
)
def test_what_cannot_be_chosen_is_said(films, call, told):
    with pytest.raises(MlopsError, match=told) as caught:
        call(films)
    assert str(caught.value).count(". ") + str(caught.value).count("? ") >= 1 and "what" not in told


# Novel


def test_what_nobody_saw_is_most_novel(films, tmp_path):
    ingest(films, film(tmp_path / "copies", drives=12), "copies", format="image_folder")
    folder = tmp_path / "strange"
    folder.mkdir()
    stripes = np.zeros((20, 20, 3), np.uint8)
    stripes[::2] = 255
    (folder / "stripes.png").write_bytes(write_image(stripes))
    ingest(films, folder, "copies", format="image_folder")
    found = novel(films, "copies", against="films", k=5, neighbours=3)
    source = {r["sample_id"]: r["source"] for r in read(films, "copies").to_pylist()}
    assert "stripes" in source[found["sample_id"][0].as_py()]
    assert "Sun et al. 2022" in found.schema.metadata[b"method"].decode()
    assert found["score"][0].as_py() > 10 * found["score"][1].as_py(), "copies are not novel"
    assert novel(films, "copies", against="films", k=5, neighbours=3).equals(found)


def test_a_clip_is_not_its_own_neighbourhood(films, tmp_path):
    "Four near copies of something odd are as novel as one of it."
    folder = film(tmp_path / "odd", drives=1, first=99)
    ingest(films, folder, "films", format="image_folder")
    alone = novel(films, "films", k=100, per_clip=None, neighbours=3)
    rank = column(alone, "clip").index("drive-99")
    scores = dict(zip(column(alone, "sample_id"), column(alone, "score"), strict=True))
    assert min(scores.values()) > 0.01 and rank >= 0


# Uncertain


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    "A model of two classes that tells red from blue."
    import torch

    network = torch.nn.Sequential(
        *(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
        *(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)),
    )
    with torch.no_grad():
        network[2].weight[:], network[2].bias[:] = torch.eye(3), 2.0
        network[4].weight[:] = torch.tensor([[4.0, 0, -4], [-4, 0, 4]])
        network[4].bias[:] = 0
    looks = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "size": (8, 8)}
    return export(
        network, tmp_path_factory.mktemp("bundle") / "b", classes=["red", "blue"],
        example_images=[picture(k) for k in range(4)], data="data:" + "0" * 64,
        run="run:" + "0" * 32, **looks,
    )  # fmt: skip


@pytest.mark.parametrize("by", ["entropy", "margin"])
def test_the_most_uncertain_are_those_predict_is_least_sure_of(films, bundle, by):
    from mlops_nb.images.pixels import decode

    found = uncertain(films, "films", model=bundle, k=48, by=by, per_clip=None)
    rows = read(films, "films", columns=["sample_id", "image"]).to_pylist()
    scores = predict(bundle, [decode(row["image"]) for row in rows]).scores
    wanted = dict(zip([r["sample_id"] for r in rows], doubt(scores, by), strict=True))
    assert column(found, "score") == sorted(column(found, "score"), reverse=True)
    for sample, score in zip(column(found, "sample_id"), column(found, "score"), strict=True):
        assert score == pytest.approx(wanted[sample], abs=1e-6)
    assert "red" in found["reason"][0].as_py()
    assert embed(films, "films", encoder=bundle_encoder(bundle, scores=True)).computed == 0


def test_a_bundle_is_an_encoder_of_its_layer_before_the_last(films, bundle):
    encoder = selection.find_encoder(films, bundle.folder)
    assert encoder.dims == 3
    image = picture(3)
    from mlops_nb.images.pixels import resize

    seen = np.maximum((resize(image, (8, 8)).mean((0, 1)) / 255 - 0.5) / 0.25 + 2, 0)
    got = encode(encoder, [image])[0]
    assert np.abs(got - seen / np.linalg.norm(seen)).max() < 0.02
    found = similar(films, "films", to=image, k=2, encoder=bundle)
    assert found["clip"][0].as_py() == "drive-3"


def test_doubt_of_any_scores_lies_between_0_and_1():
    scores = np.random.default_rng(0).dirichlet(np.full(6, 0.2), 500).astype(np.float32)
    for by in ("entropy", "margin"):
        assert doubt(scores, by).min() >= 0 and doubt(scores, by).max() <= 1 + 1e-6
        assert doubt(np.ones((3, 1), np.float32), by).tolist() == [0, 0, 0]


# Cover


def units(n: int, dims: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_k_centre_is_the_greedy_of_the_book():
    vectors, clips = units(120, 8, 0), np.arange(120)
    picked, radius = k_centre(vectors, 30, clips=clips)
    distance = 1 - vectors @ vectors.T
    for n in range(1, 30):
        far = distance[:, picked[:n]].min(axis=1)
        assert far[picked[n]] == pytest.approx(far.max(), abs=1e-5)
        assert radius[n] == pytest.approx(far.max(), abs=1e-5)
    assert len(set(picked.tolist())) == 30 and (np.diff(radius[1:]) <= 1e-6).all()


def test_facility_location_comes_near_to_greedy_without_sampling():
    vectors, clips = units(300, 6, 1), np.arange(300)
    alike = np.maximum(vectors @ vectors.T, 0)
    near, value = np.zeros(300, np.float32), 0.0
    for _ in range(15):
        gain = np.maximum(alike - near, 0).mean(axis=1)
        near = np.maximum(near, alike[np.argmax(gain)])
        value += gain.max()
    found = np.mean([facility(vectors, 15, clips=clips, seed=s)[1].sum() for s in range(5)])
    chance = np.mean([alike[np.random.default_rng(s).permutation(300)[:15]].max(axis=0).mean()
                      for s in range(5)])  # fmt: skip
    assert found > 0.97 * value and found > chance + 0.5 * (value - chance)


@pytest.mark.parametrize("by", ["centre", "facility"])
def test_covering_takes_one_of_each_drive_before_a_second(films, by):
    found = cover(films, "films", k=12, by=by, per_clip=1)
    assert len(set(column(found, "clip"))) == 12
    assert cover(films, "films", k=12, by=by, per_clip=1).equals(found)
    rest = cover(films, "films", k=6, by=by, had="weather = 'rain'")
    rows = {row["sample_id"]: row for row in read(films, "films").to_pylist()}
    assert all(rows[one]["weather"] != "rain" for one in column(rest, "sample_id"))
    only = cover(films, "films", k=50, by=by, where="weather = 'fog'", had="weather = 'rain'")
    assert {rows[one]["weather"] for one in column(only, "sample_id")} == {"fog"}
    assert len(cover(films, "films", k=500, by=by, per_clip=None)) == 48


def test_covering_twenty_thousand_takes_seconds():
    vectors, clips = units(20_000, 256, 2), np.arange(20_000)
    for method in (k_centre, facility):
        start = time.process_time()
        assert len(method(vectors, 100, clips=clips)[0]) == 100
        assert time.process_time() - start < 20, "seconds of all cores together"


# The domain


def test_every_hole_planted_is_named_and_no_other(films):
    found = coverage(films, "films", by=("weather", "light"), min_clips=2)
    table = query(
        films, "films",
        "select weather, light, count(*) as n, count(distinct clip) as c from samples group by weather, light",
    )  # fmt: skip
    counted = {(r["weather"], r["light"]): (r["n"], r["c"]) for r in table.to_pylist()}
    cells = {(r["weather"], r["light"]): r for r in found.cells.to_pylist()}
    assert len(cells) == 6 and not found.holes
    for cell, (samples, clips) in counted.items():
        assert (cells[cell]["samples"], cells[cell]["clips"]) == (samples, clips)
    assert len(found.thin) == sum(c < 2 for _, c in counted.values()) > 0
    dry = coverage(
        films, "films", by=("weather", "light"), where="weather != 'fog' or light = 'day'"
    )
    assert dry.holes == ({"weather": "fog", "light": "night"},)
    wanted = coverage(
        films, "films", by=("weather",), odd=[{"weather": "snow"}, {"weather": "fog"}]
    )
    assert wanted.holes == ({"weather": "snow"},)
    assert sum(column(wanted.cells, "share")) == pytest.approx(1)


def test_an_axis_is_any_sql_and_what_is_not_said_is_no_hole(films):
    by = {"fast": "json_get_float(facts, 'speed_mps') > 15", "light": "light"}
    found = coverage(films, "films", by=by)
    assert {row["fast"] for row in found.cells.to_pylist()} == {"yes", "no", NOT_SAID}
    assert all(row["fast"] != NOT_SAID for row in (*found.holes, *found.thin))
    roads = coverage(films, "films")
    assert roads.by == ("weather", "light", "road") and not roads.holes
    with pytest.raises(DataError, match="more than 10,000"):
        coverage(films, "films", by={"a": "sample_id", "b": "image_id", "c": "source"})
    shown = found._repr_html_()
    assert shown.count("<tr") == found.cells.num_rows + 1
    json.dumps(found.to_dict())
    evil = coverage(films, "films", by={"<script>": "weather"})._repr_html_()
    assert "<script>" not in evil


@pytest.mark.parametrize(("accuracy", "limit"), [(0.95, 0.8), (0.95, 0.9), (1.0, 0.9)])
def test_so_many_clips_are_needed_and_not_one_fewer(accuracy, limit):
    from mlops_nb.stats import wilson

    n = selection.clips_needed(accuracy, limit)
    assert wilson(int(accuracy * n), n).low >= limit
    assert all(wilson(int(accuracy * m), m).low < limit for m in range(1, n))


# The door


def test_the_commands_answer(films, bundle, capsys, monkeypatch):
    from mlops_nb.cli import main

    monkeypatch.setenv("MLOPS_NB_WORKSPACE", str(films.root))

    def tell(*words):
        main(["--json", *words])
        return json.loads(capsys.readouterr().out)

    sample = read(films, "films", columns=["sample_id"])["sample_id"][0].as_py()
    assert tell("similar", "films", "--to", sample, "-k", "3")[0]["sample_id"] == sample
    assert len(tell("novel", "films", "-k", "4", "--per-clip", "1")) == 4
    assert len(tell("uncertain", "films", "--model", str(bundle.folder), "-k", "4")) == 4
    assert len(tell("cover", "films", "-k", "4", "--where", "light = 'day'")) == 4
    fast = "fast=json_get_float(facts, 'speed_mps') > 15"
    assert tell("coverage", "films", "--by", "weather", "--by", fast)["by"] == ["weather", "fast"]
    with pytest.raises(SystemExit, match="1"):
        main(["similar", "films", "--to", "no-such-image"])
    told = capsys.readouterr().err
    assert told.startswith("Error: ") and "no-such-image" in told
    main(["cover", "films", "-k", "2"])
    assert "reason" in capsys.readouterr().out


# Elsewhere


RAY = """
from mlops_nb.selection import embed
from mlops_nb.workspace import DataError, open_workspace

try:
    embed(open_workspace({root!r}), "there", executor="ray", workers=2)
except DataError as err:
    assert "1 of 48 images of there cannot be embedded (first: films/0_0.png" in str(err), err
else:
    raise AssertionError("no error")
"""


def test_vectors_computed_on_ray_are_those_of_the_threads_to_the_bit(ws, tmp_path, bundle):
    from mlops_nb.data import fork

    if find_spec("ray") is None:
        pytest.skip("no Ray on this machine: pip install 'mlops-nb[ray]'")
    root = film(tmp_path / "films")
    (root / "0_0.png").write_bytes(b"no picture")
    for name in ("here", "there"):
        ingest(ws, root, name, format="image_folder")
    with pytest.raises(DataError, match="1 of 48 images of here .*0_0.png"):
        embed(ws, "here")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", RAY.format(root=str(ws.root))], check=False,
                          capture_output=True, text=True, timeout=200, env=environment)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    digest = selection.shipped_encoder().digest
    ids = sorted(known_vectors(ws, "here", digest))
    assert len(ids) == 47 and set(ids) == known_vectors(ws, "there", digest)
    here, there = (read_vectors(ws, name, digest, ids=ids) for name in ("here", "there"))
    assert np.array_equal(here, there)
    fork(ws, "here", "night")  # a branch uses its dataset's vectors
    assert embed(ws, "here@night", where="source != 'films/0_0.png'").computed == 0
    with pytest.raises(DataError, match="Pass one of threads, ray"):
        embed(ws, "here", executor="spark", encoder=bundle_encoder(bundle))


# A torchvision model by setting: no network here gives trained weights, so these are seeded ones in a file


def test_a_torchvision_model_by_setting_takes_the_weights_of_a_file(ws, tmp_path):
    import torch
    import torchvision

    from mlops_nb.model.features import MEAN, STD

    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = torchvision.models.resnet18(weights=None).eval()
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    ws.settings["encoder"] = f"torchvision:resnet18={tmp_path / 'resnet18.pth'}"
    encoder = selection.find_encoder(ws)
    assert (encoder.dims, encoder.name) == (512, "torchvision:resnet18")
    image = np.kron(picture(3), np.ones((10, 12, 1), np.uint8))[:224, :224]
    wide = np.pad(image, ((12, 12), (0, 0), (0, 0)), mode="edge")[:224, :224]
    network.fc = torch.nn.Identity()
    pixels = (torch.from_numpy(wide).float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(network(pixels.permute(2, 0, 1)[None]))[0].numpy()
    (got,) = encode(encoder, [wide])
    assert float(got @ wanted) > 0.999  # weights are kept in 16 bits
    untrained = selection.find_encoder(open_workspace(ws.root), "torchvision:resnet18")
    assert untrained.digest != encoder.digest
    with pytest.raises(MlopsError, match="There are no weights at"):
        selection.find_encoder(ws, "torchvision:resnet18=/nowhere.pth")
    with pytest.raises(MlopsError, match="squeezenet1_1 has no linear last layer"):
        selection.find_encoder(ws, "torchvision:squeezenet1_1")

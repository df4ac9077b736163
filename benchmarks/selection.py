"""How good the shipped encoder is and what choosing costs; prints measurements beside their peers.

Quality: precision@10 on GTSRB, whose tracks are told apart and which nobody trained on; AUROC of
what is new; accuracy after labelling as many samples as chosen by each verb. What is chosen between
(a recipe, the default of `cover`) is chosen on half of the tracks and reported on the others. Cost: embedding
beside decoding alone, and asking for neighbours beside numpy, A B A B in one process.

    python benchmarks/selection.py [--data ../shared/data] [--seeds 10] [--skip quality,cost]
    python benchmarks/selection.py --remake     # the encoder again, from its template
"""

import argparse
import gzip
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mlops_nb import Step, get_blob, run, template
from mlops_nb.data import ingest
from mlops_nb.data.vectors import append_vectors, index_vectors, indexed_neighbours, read_vectors
from mlops_nb.images.pixels import decode, letterbox, resize
from mlops_nb.images.pixels import encode as write_image
from mlops_nb.images.scenes import drives
from mlops_nb.model import encode, load_encoder, torchvision_encoder
from mlops_nb.selection import embed, shipped_encoder
from mlops_nb.selection.choosing import _kth_distances, doubt, facility, k_centre
from mlops_nb.stats import clustered_bootstrap
from mlops_nb.workspace import open_workspace


def unit(vectors: np.ndarray) -> np.ndarray:
    "Rows of length 1."
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def in_blocks(encoder, images: list[np.ndarray]) -> np.ndarray:
    "Vectors of many images."
    return np.concatenate([encode(encoder, images[s : s + 64]) for s in range(0, len(images), 64)])


def pixels(images: list[np.ndarray]) -> np.ndarray:
    "32 x 32 pixels as they are."
    return unit(np.stack([letterbox(i, (32, 32))[0].ravel() for i in images]).astype(np.float32))


def centred(images: list[np.ndarray]) -> np.ndarray:
    "32 x 32 pixels without their mean."
    flat = np.stack([letterbox(i, (32, 32))[0].ravel() for i in images]).astype(np.float32)
    return unit(flat - flat.mean(axis=1, keepdims=True))


def histogram(images: list[np.ndarray]) -> np.ndarray:
    "Colours in 64 bins (Hellinger)."
    bins = [np.bincount((i.reshape(-1, 3) >> 6) @ [16, 4, 1], minlength=64) for i in images]
    return unit(np.sqrt(np.array(bins, np.float32)))


def peers() -> dict:
    "Name -> images to unit vectors."
    resnet = torchvision_encoder("resnet18", size=(64, 64))
    return {
        "shipped encoder": lambda images: in_blocks(shipped_encoder(), images),
        "raw pixels 32x32": pixels,
        "pixels without mean": centred,
        "colour histogram": histogram,
        "resnet18, untrained": lambda images: in_blocks(resnet, images),
    }


def gtsrb(root: Path) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    "Images, classes, tracks."
    paths = sorted((root / "gtsrb" / "Final_Training_32x32" / "Images").rglob("*.ppm"))
    images = [decode(path.read_bytes()) for path in paths]
    classes = np.array([int(path.parent.name) for path in paths])
    names = [f"{path.parent.name}/{path.name[:5]}" for path in paths]
    return images, classes, np.unique(names, return_inverse=True)[1]


def halves(tracks: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    "Rows of half the tracks, on which one may choose, and of the others, on which one reports."
    order = np.random.default_rng(seed).permutation(tracks.max() + 1)
    chosen = np.isin(tracks, order[: len(order) // 2])
    return np.flatnonzero(chosen), np.flatnonzero(~chosen)


def precision(vectors: np.ndarray, classes: np.ndarray, tracks: np.ndarray):
    "Precision@10 among images of other tracks, with its interval by tracks."
    alike = vectors @ vectors.T
    alike[tracks[:, None] == tracks[None]] = -9
    near = np.argpartition(-alike, 10, axis=1)[:, :10]
    hit = (classes[near] == classes[:, None]).mean(axis=1)
    return clustered_bootstrap(hit, tracks.astype(str))


def retrieval(root: Path) -> None:
    "Precision@10 among images of other tracks, on the two halves of the tracks."
    images, classes, tracks = gtsrb(root)
    print(f"\nGTSRB: {len(images)} images, {tracks.max() + 1} tracks, precision@10 across tracks")
    for name, vectors in peers().items():
        found = vectors(images)
        parts = [precision(found[k], classes[k], tracks[k]) for k in halves(tracks)]
        print(f"  {name:22} to choose on {parts[0]}; to report {parts[1]}")


def remake(root: Path) -> None:
    "Run the template through the pipeline: the shipped file again, or how far from it?"
    ws = open_workspace(tempfile.mkdtemp())
    start = time.perf_counter()
    done = run(ws, [Step("encoder", template("encoder"), {})])
    graph, shipped = get_blob(ws, done["encoder"].outputs["encoder"]), shipped_encoder()
    print(f"\nRemade in {time.perf_counter() - start:.0f} s, {len(graph):,} bytes: "
          f"{'byte for byte the shipped one' if graph == shipped.graph else 'another file'}")  # fmt: skip
    if (root / "gtsrb").is_dir():
        images, classes, tracks = gtsrb(root)
        both = [in_blocks(one, images) for one in (shipped, load_encoder(graph))]
        cosine = (both[0] * both[1]).sum(axis=1)
        print(
            f"  cosine to the shipped vectors: mean {cosine.mean():.4f}, least {cosine.min():.4f}"
        )
        print(*(f"  precision@10 {precision(one, classes, tracks)}" for one in both), sep="\n")


def auroc(new: np.ndarray, old: np.ndarray) -> float:
    "How often something new scores above something known."
    both = np.r_[new, old]
    ranks = np.empty(len(both))
    order = np.argsort(both, kind="stable")
    ranks[order] = np.arange(1, len(both) + 1)
    return (ranks[: len(new)].sum() - len(new) * (len(new) + 1) / 2) / (len(new) * len(old))


def idx(path: Path, n: int) -> list[np.ndarray]:
    "The first n images of an IDX file, as RGB."
    raw = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8)[16:].reshape(-1, 28, 28)
    return [np.repeat(one[:, :, None], 3, axis=2) for one in raw[:n]]


def road(seed: int, n: int, **facts) -> list[np.ndarray]:
    "The second frame of n rendered drives."
    return [frames[1].image for frames in drives(seed, n, n_signs=1, size=(120, 192), **facts)]


def novelty(root: Path) -> None:
    "AUROC of the 5th neighbour's distance: known against known of other drives, and new."
    worlds = {"clear, day": road(31, 120, weather="clear", light="day")}
    known, rest = worlds["clear, day"][:80], worlds["clear, day"][80:]
    new = {"rendered snow": (known, rest, road(32, 40, weather="snow", light="day")),
           "rendered night": (known, rest, road(33, 40, weather="clear", light="night")),
           "rendered fog": (known, rest, road(34, 40, weather="fog", light="day"))}  # fmt: skip
    mnist, fashion = root / "mnist", root / "fashion-mnist"
    if mnist.is_dir():
        a, b = (idx(f / "train-images-idx3-ubyte.gz", 600) for f in (mnist, fashion))
        new["fashion among mnist"] = (a[:400], a[400:], b[:200])
        new["mnist among fashion"] = (b[:400], b[400:], a[:200])
    ceit = root / "ceit-weather"
    if ceit.is_dir():
        films = {
            n: [decode(p.read_bytes()) for p in sorted((ceit / n).glob("*.jpg"))]
            for n in ("Video4", "Video9", "Video15", "Video20")
        }
        sun = films["Video4"]
        new["ceit fog among sun"] = (sun[::2], sun[1::2], films["Video20"])
        new["ceit rain among sun"] = (sun[::2], sun[1::2], films["Video9"])
    print("\nNovelty, AUROC (ceit: one drive each, so weather and camera cannot be told apart)")
    table = {name: {} for name in new}
    for peer, vectors in peers().items():
        for name, groups in new.items():
            there, old, fresh = map(vectors, groups)
            none = np.full(max(len(old), len(fresh)), -1)
            how = {"there": there, "there_clips": np.arange(len(there)), "neighbours": 5}
            score = [_kth_distances(one, none[: len(one)], **how) for one in (fresh, old)]
            table[name][peer] = auroc(*score)
    print("  " + " " * 22 + "".join(f"{peer:>22}" for peer in peers()))
    for name, row in table.items():
        print(f"  {name:22}" + "".join(f"{value:22.3f}" for value in row.values()))


def classify(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    "Scores (N, 43) of the softmax over similarities to class means."
    means = np.zeros((43, train.shape[1]), np.float32)
    np.add.at(means, labels, train)
    absent = np.bincount(labels, minlength=43) == 0
    logits = test @ unit(means).T / 0.1
    logits[:, absent] = -1e9
    logits -= logits.max(axis=1, keepdims=True)
    raised = np.exp(logits)
    return raised / raised.sum(axis=1, keepdims=True)


def labelling(root: Path, seeds: int) -> None:
    "Accuracy with so many labels, chosen by chance or by a verb; the same pools for all."
    every, all_classes, all_tracks = gtsrb(root)
    found = in_blocks(shipped_encoder(), every)
    for what, part in zip(("to choose on", "to report"), halves(all_tracks), strict=True):
        print(f"\nLabel efficiency on GTSRB, tracks {what}: nearest class mean, accuracy minus "
              f"chance, {seeds} pools")  # fmt: skip
        tracks = np.unique(all_tracks[part], return_inverse=True)[1]
        _labelled(found[part], all_classes[part], tracks, seeds)


def _labelled(vectors: np.ndarray, classes: np.ndarray, tracks: np.ndarray, seeds: int) -> None:
    for budget in (43, 86, 172, 344):
        gain = {"cover centre": [], "cover facility": [], "uncertain margin": []}
        base = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            held = np.isin(tracks, rng.permutation(tracks.max() + 1)[: (tracks.max() + 1) // 3])
            pool, test = np.flatnonzero(~held), np.flatnonzero(held)
            clips = np.unique(tracks[pool], return_inverse=True)[1]
            picks = [rng.permutation(len(pool))[:budget] for _ in range(5)]

            def accuracy(rows, pool=pool, test=test):
                scores = classify(vectors[pool[rows]], classes[pool[rows]], vectors[test])
                return float((scores.argmax(axis=1) == classes[test]).mean())

            chance = statistics.fmean(map(accuracy, picks))
            base.append(chance)
            how = {"clips": clips, "per_clip": 2}
            gain["cover centre"].append(accuracy(k_centre(vectors[pool], budget, **how)[0]))
            rows = facility(vectors[pool], budget, seed=seed, **how)[0]
            gain["cover facility"].append(accuracy(rows))
            half = picks[0][: budget // 2]
            scores = classify(vectors[pool[half]], classes[pool[half]], vectors[pool])
            value = doubt(scores, "margin")
            value[half] = -1
            rest = np.argsort(-value, kind="stable")[: budget - budget // 2]
            gain["uncertain margin"].append(accuracy(np.r_[half, rest]))
        print(f"  {budget} labels: chance {statistics.fmean(base):.3f}")
        for name, values in gain.items():
            gained, pools = np.subtract(values, base), [str(s) for s in range(seeds)]
            shown = clustered_bootstrap(gained, pools, statistic=np.mean)
            print(f"    {name:18} {shown}")


def embedding(scale: float = 1.0) -> None:
    "Embedding beside decoding alone, the same threads."
    frames = [f.image for d in drives(40, 60, size=(240, 384)) for f in d]
    for size in ((48, 48), (240, 384)):
        root = Path(tempfile.mkdtemp())
        (root / "f").mkdir()
        for k, frame in enumerate((frames * 4)[: max(64, int(4 * len(frames) * scale))]):
            shown = np.roll(resize(frame, size), k, axis=1)
            (root / "f" / f"{k}.jpg").write_bytes(write_image(shown, "jpeg"))
        ws = open_workspace(root / "ws")
        ingest(ws, root / "f", "frames", format="image_folder")
        files = [path.read_bytes() for path in sorted((root / "f").iterdir())]
        encoder, rounds = shipped_encoder(), []
        for number in range(3):
            start = time.perf_counter()
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda data: decode(data).shape, files, chunksize=32))
            middle = time.perf_counter()
            fresh = type(encoder)(**vars(encoder) | {"digest": "enc:" + str(number) * 64})
            embed(ws, "frames", encoder=fresh)
            rounds.append((middle - start, time.perf_counter() - middle))
        only, all_ = (statistics.median(part) for part in zip(*rounds, strict=True))
        print(
            f"  {size[0]}x{size[1]} JPEG: {len(files) / all_:,.0f} embeddings/s, "
            f"{len(files) / only:,.0f} decodes/s, ratio {only / all_:.2f}"
        )


def questions(scale: float = 1.0) -> None:
    "Ten neighbours of one vector, among many."
    rng = np.random.default_rng(0)
    for n in (max(2000, int(size * scale)) for size in (20_000, 200_000)):
        ws = open_workspace(tempfile.mkdtemp())
        centres = rng.normal(size=(1000, 96)).astype(np.float32)
        many = unit(centres[rng.integers(0, 1000, n)] + 0.5 * rng.normal(size=(n, 96)))
        many, digest = many.astype(np.float32), "enc:" + "0" * 64
        ids = [f"img:{k:064d}" for k in range(n)]
        append_vectors(ws, "many", digest, ids=ids, matrix=many)
        start = time.perf_counter()
        read_vectors(ws, "many", digest, ids=ids[:1])
        cold = time.perf_counter() - start
        start = time.perf_counter()
        index_vectors(ws, "many", digest, least=1)
        built, exact, index, hits = time.perf_counter() - start, [], [], 0
        for row in range(0, n, n // 20):
            start = time.perf_counter()
            alike = many @ many[row]
            near = np.argpartition(-alike, 10)[:10]
            middle = time.perf_counter()
            found = indexed_neighbours(ws, "many", digest, vector=many[row], n=10)
            exact.append(middle - start)
            index.append(time.perf_counter() - middle)
            hits += len({ids[k] for k in near} & {image for image, _ in found})
        print(
            f"  {n:,} vectors: numpy {1e3 * statistics.median(exact):.1f} ms after "
            f"{1e3 * cold:.0f} ms of reading; index {1e3 * statistics.median(index):.1f} ms, "
            f"recall@10 {hits / 10 / len(exact):.3f}, built in {built:.0f} s"
        )
    vectors = unit(rng.normal(size=(max(2000, int(20_000 * scale)), 256))).astype(np.float32)
    for method in (k_centre, facility):
        start = time.perf_counter()
        method(vectors, 200, clips=np.arange(len(vectors)))
        seconds = time.perf_counter() - start
        print(f"  {method.__name__}: 200 of {len(vectors):,} x 256 in {seconds:.1f} s")


def main() -> None:
    "Measure and print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--skip", default="")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="of the sizes that cost is shown at"
    )
    parser.add_argument("--remake", action="store_true", help="only run the encoder's template")
    asked = parser.parse_args()
    encoder = shipped_encoder()
    print(f"{encoder}, {len(encoder.graph):,} bytes")
    if asked.remake:
        return remake(asked.data)
    if "quality" not in asked.skip:
        if (asked.data / "gtsrb").is_dir():
            retrieval(asked.data)
            labelling(asked.data, asked.seeds)
        novelty(asked.data)
    if "cost" not in asked.skip:
        print("\nCost")
        embedding(asked.scale)
        questions(asked.scale)


if __name__ == "__main__":
    main()

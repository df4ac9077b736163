"""Random batches for training, beside torchvision's ImageFolder on the same warm files; ratios.

Both sides deliver the same shuffled batches of uint8 tensors through the same DataLoader, with 0 and
with 2 workers. Below them stands the physical limit: the same files, already in memory, only decoded,
by the decoder that serving uses. Each figure is the median of several epochs, A B A B in one process;
the first epoch of workers includes their start. Memory is the process's resident set after each epoch.

    python benchmarks/data_loading.py [--images 1024] [--rounds 3] [--data FOLDER]
"""

import argparse
import gc
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import psutil
import torch
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import ImageFolder

from mlops_nb.data import Shuffle, ingest, samples
from mlops_nb.images.pixels import decode, encode, resize
from mlops_nb.images.scenes import drive
from mlops_nb.workspace import open_workspace

BATCH = 64


def write_images(folder: Path, n: int, size: tuple[int, int], source: Path | None):
    "JPEGs of one size in four class folders: rendered frames, or photographs of a folder."
    if source:
        paths = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
        photos = [decode(path.read_bytes()) for path in paths[:128]]
    else:
        photos = [frame.image for k in range(8) for frame in drive(k, size=(480, 640))]
    for k in range(n):
        image = np.roll(resize(photos[k % len(photos)], size), 37 * (k // len(photos)), axis=1)
        path = folder / f"class{k % 4}" / f"{k:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, "jpeg", quality=90))


def to_tensor(sample: dict) -> tuple[torch.Tensor, int]:
    "What a loop trains on, from ours."
    return torch.from_numpy(sample["image"]), int(sample["label"][-1])


def to_array(image) -> torch.Tensor:
    "The same, from a Pillow image."
    return torch.from_numpy(np.array(image))


def epoch(batches) -> float:
    "Seconds per batch."
    start, n = time.perf_counter(), 0
    for pixels, labels in batches:
        assert len(pixels) == len(labels) == BATCH
        n += 1
    return (time.perf_counter() - start) / n


def compare(name: str, folder: Path, ws, rounds: int) -> dict[str, float]:
    "Print every figure of one set of images; the ratios, and how much memory grew."
    ingest(ws, folder, name)
    ours, theirs = samples(ws, name, transform=to_tensor), ImageFolder(folder, to_array)
    order = Shuffle(ours)
    files = [path.read_bytes() for path in sorted(folder.rglob("*.jpg"))]
    rows, batches = ours.rows, [part for part in np.array_split(ours.numbers, len(ours) // BATCH)]
    seconds = {}

    def note(what: str, value: float):
        seconds.setdefault(what, []).append(value)

    loaders = {}
    for workers in (0, 2):
        how = {"batch_size": BATCH, "num_workers": workers, "drop_last": True}
        how |= {"persistent_workers": workers > 0}
        loaders[workers] = (DataLoader(ours, sampler=order, **how),
                            DataLoader(theirs, sampler=RandomSampler(theirs), **how))  # fmt: skip
    memory = []
    for k in range(rounds + 1):  # the first warms files, caches and workers, and does not count
        for workers, (mine, folder_loader) in loaders.items():
            a = epoch(order.follow(mine))
            b = epoch(folder_loader)
            if k:
                note(f"ours, {workers} workers", a)
                note(f"ImageFolder, {workers} workers", b)
        start = time.perf_counter()
        for data in files:
            decode(data)
        note("decode only", (time.perf_counter() - start) / len(files) * BATCH)
        start = time.perf_counter()
        for part in batches:
            rows.take(part)
        note("read only", (time.perf_counter() - start) / len(batches))
        gc.collect()
        memory.append(psutil.Process().memory_info().rss / 2**20)
    median = {what: statistics.median(values) for what, values in seconds.items()}
    kib = sum(map(len, files)) / len(files) / 1024
    print(f"\n{name}: {len(files):,} JPEGs of {decode(files[0]).shape[:2]}, {kib:.1f} KiB each")
    for what, value in sorted(median.items()):
        print(f"  {what:24} {value * 1e3:8.2f} ms per batch of {BATCH}")
    found = {"growth": memory[-1] / memory[1] - 1}  # the first round fills caches
    for workers in (0, 2):
        ratio = median[f"ImageFolder, {workers} workers"] / median[f"ours, {workers} workers"]
        found[f"{workers} workers"] = ratio
        print(f"  speed against ImageFolder, {workers} workers   {ratio:.2f}   (at least 0.9)")
    limit = median["decode only"] / median["ours, 0 workers"]
    print(f"  share of the limit (decode only), 0 workers  {limit:.2f}")
    print(f"  memory after each round, MiB: {' '.join(f'{m:.0f}' for m in memory)}")
    return found


def loading(images: int, rounds: int, photos: Path | None = None) -> dict[str, dict[str, float]]:
    "Large and small images; what `compare` found of each."
    warnings.filterwarnings("ignore", message="lance is not fork-safe")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        ws = open_workspace(Path(place, "ws"))
        found = {}
        for name, size, n in (("frames", (480, 640), 1), ("crops", (64, 64), 4)):
            write_images(Path(place, name), n * images, size, photos)
            found[name] = compare(name, Path(place, name), ws, rounds)
    return found


def main():
    "Write, read, print."
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="photographs; default: rendered frames")
    asked = parser.parse_args()
    loading(asked.images, asked.rounds, asked.data)


if __name__ == "__main__":
    main()

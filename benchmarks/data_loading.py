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
from measuring import figure, write_frames
from torch.utils.data import DataLoader, RandomSampler
from torchvision.datasets import ImageFolder

from mlops_nb.data import Shuffle, ingest, samples
from mlops_nb.images.pixels import decode
from mlops_nb.workspace import open_workspace

BATCH = 64


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


def compare(name: str, folder: Path, ws, rounds: int):
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
    print(f"  memory after each round, MiB: {' '.join(f'{m:.0f}' for m in memory)}")
    for workers in (0, 2):
        mine, peer = (median[f"{who}, {workers} workers"] * 1e3 for who in ("ours", "ImageFolder"))
        figure(
            f"{name}: 64 beside ImageFolder, {workers} workers", mine, peer, least=0.9, unit="ms"
        )
    mine, limit = (median[what] * 1e3 for what in ("ours, 0 workers", "decode only"))
    figure(f"{name}: 64 beside decoding alone, 0 workers", mine, limit, unit="ms")
    # The first round fills caches; 5 % is our reading of "flat".
    figure(f"{name}: memory, last round / first", memory[-1], memory[1], most=1.05, unit="MiB")


def loading(images: int, rounds: int, photos: Path | None = None):
    "Large and small images."
    warnings.filterwarnings("ignore", message="lance is not fork-safe")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        ws = open_workspace(Path(place, "ws"))
        for name, size, n in (("frames", (480, 640), 1), ("crops", (64, 64), 4)):
            write_frames(Path(place, name), n * images, size, photos)
            compare(name, Path(place, name), ws, rounds)


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

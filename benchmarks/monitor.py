"""How often the monitor pages without a change, and how soon with one, beside two peers.

    python benchmarks/monitor.py                 # simulated traffic and rendered drives, minutes
    python benchmarks/monitor.py --lives 400     # tighter error bars on the false-page rate
    python benchmarks/monitor.py --only rendered

Peers: (1) `frames`, what is often built first: per window of 128 frames a Kolmogorov-Smirnov test of
every class's softmax and of the top score, Bonferroni within the window, alpha 0.01; (2) `martingale`,
a conformal test martingale per statistic over the growing pool of reference and log (power bets in
both directions, restarts mixed with weights 1/(t(t+1)), Vovk et al. 2021), with the same lifetime alpha.
"""

import argparse
import bisect
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa

from mlops_nb.monitor import WatchPolicy, reference, watch
from mlops_nb.stats import ks_two_sample, wilson

CLASSES = tuple("abcdefgh")
MODEL = "bundle:" + "0" * 64
N_REFERENCE, FRAMES = 100, 8


def softmaxes(rng: np.random.Generator, n: int, shift: float) -> tuple[np.ndarray, float]:
    "Scores (n, 8, K) of n drives that pass two signs each, and the accuracy; `shift` blurs the signs."
    k = len(CLASSES)
    signs = rng.integers(0, k, (n, 2))
    ease = 6 + 1.5 * (rng.normal(0, 0.8, (n, 1)) + rng.normal(0, 0.5, (n, 2)))
    z = rng.normal(0, 1.1, (n, 2, 4, k)) + rng.normal(0, 0.5, (n, 1, 1, k))
    z += (ease * (1 - shift))[..., None, None] * np.eye(k)[signs][:, :, None]
    z[..., 0] += 3 * shift
    scores = np.exp(z - z.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    right = float((scores.argmax(-1) == signs[..., None]).mean()) if n else 1.0
    return scores.reshape(n, FRAMES, k).astype(np.float32), right


def as_log(scores: np.ndarray) -> pa.Table:
    n, frames, k = scores.shape
    flat = scores.reshape(-1, k)
    return pa.table({
        "image_id": [f"img:{i}" for i in range(n * frames)],
        "clip": [f"drive-{i // frames}" for i in range(n * frames)],
        "predicted": [CLASSES[i] for i in flat.argmax(1)],
        "scores": list(flat),
    })  # fmt: skip


def by_clips(known: np.ndarray, log: np.ndarray, alpha: float) -> int | None:
    "Ours: frames until the page."
    accepted = reference(as_log(known), model_id=MODEL, classes=CLASSES)
    policy = WatchPolicy(alpha=alpha, ticket_alpha=max(alpha, 0.1))
    return watch(as_log(log), accepted, policy).paged_at_frame


def by_frames(known: np.ndarray, log: np.ndarray, alpha: float) -> int | None:
    "Peer 1: frames until the page."
    rows = [np.column_stack([s.reshape(-1, s.shape[-1]), s.max(-1).ravel()]) for s in (known, log)]
    for end in range(128, len(rows[1]) + 1, 32):
        window = rows[1][end - 128 : end]
        p = [ks_two_sample(a, b)[1] for a, b in zip(window.T, rows[0].T, strict=True)]
        if min(p) * len(p) <= alpha:
            return end
    return None


BETS = np.array([0.1, 0.2, 0.35, 0.55, 0.8])


def by_martingale(known: np.ndarray, log: np.ndarray, alpha: float) -> int | None:
    "Peer 2: frames until the page."

    def rows(s):
        share = (s.argmax(-1)[..., None] == np.arange(s.shape[-1])).mean(1)
        return np.column_stack([share, s.mean(1), s.max(-1).mean(1)])

    pool, stream = [sorted(column) for column in rows(known).T], rows(log)
    n_tests, rng = stream.shape[1], np.random.default_rng(0)
    weight = np.append(np.full(n_tests - 1, 0.5 / (n_tests - 1)), 0.5)[None, :, None]
    wealth, prior = np.zeros((0, n_tests, 2 * len(BETS))), []
    for t, row in enumerate(stream):
        if t % 4 == 0:
            wealth = np.concatenate([wealth, np.zeros((1, *wealth.shape[1:]))])
            prior.append(1 / ((len(prior) + 1) * (len(prior) + 2)))
        p = np.empty(n_tests)
        for s, value in enumerate(row):
            low, high = bisect.bisect_left(pool[s], value), bisect.bisect_right(pool[s], value)
            p[s] = (low + rng.random() * (high - low + 1)) / (len(pool[s]) + 1)
            pool[s].insert(low, value)
        p = np.clip(p, 1e-12, 1 - 1e-12)[:, None]
        up, down = (np.log(BETS) + (BETS - 1) * side for side in (np.log(p), np.log1p(-p)))
        wealth += np.concatenate([up, down], axis=1)
        mixed = (np.exp(np.minimum(wealth, 300)).mean(2, keepdims=True) * weight).sum((1, 2))
        if (np.array(prior) * mixed).sum() >= 1 / alpha:
            return (
                t + 1
            ) * FRAMES + WatchPolicy().idle_frames  # it, too, must see that a clip is over
    return None


WAYS = {"clips": by_clips, "frames": by_frames, "martingale": by_martingale}


def false_pages(lives: int, checks: int, ways: tuple) -> None:
    "Share of lives with a page although nothing changed."
    n_clips = 8 + 4 * (checks - 1) + 2
    print(
        f"\nLives of {checks} checks ({n_clips} drives, {n_clips * FRAMES} frames), nothing changes"
    )
    print("  way         reference    alpha   lives  paged  rate   95 % interval")
    for way, alpha, fixed, part in ways:
        rng, n = np.random.default_rng(7), max(10, round(lives * part))
        known, pages = None, 0
        for life in range(n):
            if known is None or not fixed or life % 20 == 0:  # fixed: 20 lives per reference
                known = softmaxes(rng, N_REFERENCE, 0)[0]
            pages += WAYS[way](known, softmaxes(rng, n_clips, 0)[0], alpha) is not None
        rate = wilson(pages, n)
        kind = "of 20 lives" if fixed else "of one life"
        print(
            f"  {way:11} {kind:11}  {alpha:5}  {n:5}  {pages:5}  {rate.value:.3f}  "
            f"[{rate.low:.3f}, {rate.high:.3f}]",
            flush=True,
        )


OURS = [("clips", alpha, fixed, 1) for alpha in (0.01, 0.1) for fixed in (False, True)]
PEERS = [("martingale", 0.1, False, 0.2), ("frames", 0.01, False, 0.1)]


def delays(runs: int) -> None:
    "Frames from the change to the page at lifetime alpha 0.01."
    print(
        "\nFrames from a change to the page, lifetime alpha 0.01: median (90 %), never within 960"
    )
    print("  change after  accuracy  " + "".join(f"{way:>24}" for way in ("clips", "martingale")))
    for quiet in (0, 100, 400):
        for shift in (0.15, 0.25, 0.35, 0.5):
            rng, took = np.random.default_rng(11), {"clips": [], "martingale": []}
            right = softmaxes(np.random.default_rng(0), 4000, shift)[1]
            for _ in range(runs):
                known = softmaxes(rng, N_REFERENCE, 0)[0]
                before, after = (softmaxes(rng, n, s)[0] for n, s in ((quiet, 0), (120, shift)))
                for way, delay in took.items():
                    at = WAYS[way](known, np.concatenate([before, after]), 0.01)
                    delay.append(np.inf if at is None else at - quiet * FRAMES)
            cells = []
            for delay in took.values():
                middle, most = np.quantile(delay, [0.5, 0.9], method="higher")
                cells.append(f"{middle:.0f} ({most:.0f}), {np.isinf(delay).sum()}/{runs}")
            line = "".join(f"{cell:>24}" for cell in cells)
            print(f"  {quiet * FRAMES:5} frames   {right:8.3f}  {line}", flush=True)


def rendered(seeds: int, n_reference: int) -> None:
    "Rendered drives and a trained bundle: runs without snow, then snow."
    with tempfile.TemporaryDirectory() as scratch:
        bundle = trained(Path(scratch))
        ours = [
            says(bundle, Path(scratch), seed=900 + i, n=n_reference // 2, weather=None)
            for i in range(2)
        ]
        accepted = reference(pa.concat_tables(ours), model_id=MODEL, classes=bundle.classes)
        pages, took, right = 0, [], {"calm": [], "snow": []}
        for seed in range(1000, 1000 + seeds):
            calm = says(bundle, Path(scratch), seed=seed, n=40, weather=None)
            storm = says(bundle, Path(scratch), seed=seed + 500, n=40, weather="snow")
            pages += watch(calm, accepted, ended=True).paged
            print(".", end="", flush=True)
            seen = watch(pa.concat_tables([calm, storm]), accepted)
            took.append(np.inf if not seen.paged else seen.paged_at_frame - len(calm))
            for name, table in (("calm", calm), ("snow", storm)):
                right[name] += [
                    a == b
                    for a, b in zip(table["label"].to_pylist(), table["predicted"].to_pylist())
                ]
    print(f"\nRendered drives: {seeds} seeds, 40 drives of 8 frames, then 40 in snow")
    print(f"  model: accuracy {np.mean(right['calm']):.3f}, in snow {np.mean(right['snow']):.3f}")
    print(
        f"  reference: {len(accepted.clips)} drives; runs without snow that page: {pages} of {seeds}"
    )
    print(
        f"  frames from the first snow to the page: {sorted(int(t) if np.isfinite(t) else 'never' for t in took)}"
    )


def crops(
    folder: Path, seed: int, n: int, weather: str | None
) -> list[tuple[np.ndarray, str, str]]:
    "(image, class, drive) of rendered crops, in the order of a camera."
    import csv

    from mlops_nb.images.pixels import decode
    from mlops_nb.images.scenes import drives, write_crops

    where = folder / f"{seed}-{weather}"
    write_crops(where, drives(seed, n, weather=weather))
    rows = list(csv.DictReader((where / "metadata.csv").read_text().splitlines()))
    rows.sort(key=lambda r: (r["drive"], r["captured_at"], r["file_name"]))
    return [(decode((where / r["file_name"]).read_bytes()), r["class"], r["drive"]) for r in rows]


def says(bundle, folder: Path, *, seed: int, n: int, weather: str | None) -> pa.Table:
    "What the bundle says about n drives."
    from mlops_nb.model import predict

    found = crops(folder, seed, n, weather)
    answers = predict(bundle, [image for image, _, _ in found])
    return pa.table({
        "image_id": [f"img:{seed}-{i}" for i in range(len(found))],
        "clip": [f"{seed}-{drive}" for _, _, drive in found],
        "label": [label for _, label, _ in found],
        "predicted": list(answers.labels),
        "scores": list(answers.scores),
    })  # fmt: skip


def trained(folder: Path):
    "A small network on 200 rendered drives without snow, as a bundle."
    import torch
    from torch import nn
    from torch.nn import functional as F

    from mlops_nb.images.scenes import CLASSES as signs
    from mlops_nb.model import export, preprocess

    torch.manual_seed(0)
    begun = time.time()
    found = crops(folder, 1, 200, None)
    recipe = {"size": (32, 32), "mean": (0.4, 0.4, 0.4), "std": (0.25, 0.25, 0.25)}
    x = torch.cat([preprocess(torch.from_numpy(image)[None], **recipe) for image, _, _ in found])
    y = torch.tensor([signs.index(label) for _, label, _ in found])

    def block(a, b):
        return nn.Sequential(
            nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)
        )

    network = nn.Sequential(
        block(3, 24),
        block(24, 48),
        block(48, 96),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(96 * 16, 8),
    )
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    for _ in range(15):
        for chosen in torch.randperm(len(x)).split(64):
            moved = torch.roll(
                x[chosen], (int(torch.randint(-3, 4, ())), int(torch.randint(-3, 4, ()))), (2, 3)
            )
            lit = (
                moved * (0.7 + 0.6 * torch.rand(len(chosen), 1, 1, 1))
                + torch.randn(len(chosen), 1, 1, 1) * 0.3
            )
            loss = F.cross_entropy(network(lit), y[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    bundle = export(
        network.eval(), folder / "bundle", classes=signs, example_images=[f[0] for f in found[:32]],
        data="data:" + "0" * 64, run="run:" + "0" * 32, **recipe,
    )  # fmt: skip
    print(f"\ntrained on {len(found)} crops in {time.time() - begun:.0f} s, loss {loss.item():.2f}")
    return bundle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lives", type=int, default=100, help="simulated lives per row")
    parser.add_argument("--checks", type=int, default=200, help="checks per life")
    parser.add_argument("--runs", type=int, default=20, help="runs per delay")
    parser.add_argument("--seeds", type=int, default=20, help="rendered runs")
    parser.add_argument("--reference", type=int, default=36, help="rendered reference drives")
    parser.add_argument("--only", choices=("false-pages", "delays", "rendered"))
    args = parser.parse_args()
    if args.only in (None, "rendered"):
        rendered(args.seeds, args.reference)
    if args.only in (None, "false-pages"):
        false_pages(10 * args.lives, 12, tuple(OURS))  # 12 checks spend 92 % of alpha
        false_pages(args.lives, args.checks, tuple(OURS + PEERS))
    if args.only in (None, "delays"):
        delays(args.runs)


if __name__ == "__main__":
    main()

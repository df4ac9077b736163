"""How often the intervals contain the truth, how often the tests alarm falsely, and how fast they are.

    python benchmarks/stats.py [--repeats 2000]

Truth is known because the data is simulated; every rate is printed with its Monte-Carlo error. Beside ours
stand the interval one would take without thinking of clips (Wilson on frames) and the usual cluster-robust
t-interval. Speed is measured beside scipy in the same run and printed as a ratio.
"""

import argparse
import time

import numpy as np
from scipy import stats as scipy_stats

from mlops_nb.stats import (
    Interval,
    alpha_spending,
    clip_means,
    clustered_bootstrap,
    clustered_mean,
    confidence_sequence,
    holm,
    ks_two_sample,
    mcnemar,
    non_inferior,
    paired_difference,
    share_test,
    wilson,
)

SIZES = {
    "equal": lambda rng, m: np.full(m, 20),
    "unequal": lambda rng, m: rng.geometric(1 / 15, m),
    "heavy": lambda rng, m: np.ceil(np.exp(rng.normal(2, 1.2, m))).astype(int),
}
SKILLS = {  # name -> (true accuracy, skill of each clip)
    "50 %, alike 0.3": (0.5, lambda rng, m: rng.beta(1.17, 1.17, m)),
    "90 %, alike 0.05": (0.9, lambda rng, m: rng.beta(17.1, 1.9, m)),
    "98 %, alike 0.6": (0.98, lambda rng, m: rng.beta(0.653, 0.0133, m)),
    "97 %, 5 % broken": (0.97 * 0.95, lambda rng, m: np.where(rng.random(m) < 0.05, 0, 0.97)),
}


def frames(rng, m, sizes, skill):
    clip = np.repeat(np.arange(m), SIZES[sizes](rng, m))
    return rng.random(len(clip)) < skill(rng, m)[clip], clip


def by_frame(right, clip):
    return wilson(int(right.sum()), len(right))


def cluster_t(right, clip):
    "Ratio estimate with cluster-robust variance and Student's t: what survey packages print first."
    p, m = right.mean(), clip[-1] + 1
    residual = np.bincount(clip, right - p, m)
    half = scipy_stats.t.ppf(0.975, m - 1) * np.sqrt((residual**2).sum() * m / (m - 1)) / len(right)
    return Interval(p, p - half, p + half, 0.95, len(right), m)


def show(rate, repeats):
    return f"{rate:.3f} ±{np.sqrt(max(rate * (1 - rate), 1 / repeats) / repeats):.3f}"


def coverage_table(repeats):
    print(f"\nCoverage of 95 % intervals of an accuracy ({repeats} samples each), mean length")
    print(
        f"{'model':18}{'clips':>6} {'sizes':9}{'ours':>22}{'cluster t':>22}{'frames (Wilson)':>22}"
    )
    methods, worst = (clustered_mean, cluster_t, by_frame), 1.0
    for name, (truth, skill) in SKILLS.items():
        for m in (5, 15, 50, 200):
            for sizes in SIZES:
                rng = np.random.default_rng([m, len(name), len(sizes)])
                found = []
                for _ in range(repeats):
                    sample = frames(rng, m, sizes, skill)
                    found.append([(f.low, f.high) for f in (method(*sample) for method in methods)])
                ends = np.array(found)  # (repeats, methods, 2)
                inside = ((ends[..., 0] <= truth) & (truth <= ends[..., 1])).mean(axis=0)
                length = (ends[..., 1] - ends[..., 0]).mean(axis=0)
                cells = [f"{show(c, repeats)} {w:.3f}" for c, w in zip(inside, length, strict=True)]
                print(f"{name:18}{m:6} {sizes:9}" + "".join(f"{cell:>22}" for cell in cells))
                worst = min(worst, inside[0])
    print(f"worst of ours: {worst:.3f}")


def two_models(rng, m, gain, loss):
    "Half of the gains and losses come as whole clips, the rest as single frames."
    clip = np.repeat(np.arange(m), SIZES["unequal"](rng, m))
    part, lone, base = rng.random(m)[clip], rng.random(len(clip)), rng.random(len(clip)) < 0.5
    conditions = [part < gain / 2, part > 1 - loss / 2, lone < gain / 2, lone > 1 - loss / 2]
    move = np.select(conditions, [1, -1, 1, -1])
    return np.where(move, move == 1, base), np.where(move, move == -1, base), clip


def paired_table(repeats):
    print(f"\nPaired difference ({repeats} samples each)")
    print(
        f"{'gain':>6}{'loss':>6}{'clips':>7}{'coverage':>16}{'non-inferior at its margin':>30}{'McNemar':>16}"
    )
    for gain, loss in ((0.02, 0.02), (0.02, 0.06), (0.0, 0.1), (0.1, 0.1)):
        whole = (gain - loss) / 2
        truth = whole + (1 - gain / 2 - loss / 2) * whole
        for m in (15, 60, 200):
            rng = np.random.default_rng([m, int(1000 * gain), int(1000 * loss)])
            samples = [two_models(rng, m, gain, loss) for _ in range(repeats)]
            found = [paired_difference(*sample) for sample in samples]
            inside = np.mean([f.low <= truth <= f.high for f in found])
            claimed = (
                np.mean([non_inferior(f, max(0, -truth)) for f in found]) if loss > gain else None
            )
            size = np.mean([mcnemar(*s) <= 0.05 for s in samples]) if gain == loss else None
            cells = ["-" if x is None else show(x, repeats) for x in (claimed, size)]
            print(f"{gain:6}{loss:6}{m:7}{show(inside, repeats):>16}{cells[0]:>30}{cells[1]:>16}")


def confidences(rng, clips):
    clip = np.repeat(np.arange(clips), 8)
    return rng.normal(size=clips)[clip] + rng.normal(0, 0.2, len(clip)), clip


def alarms_table(repeats):
    print(f"\nFalse alarms at 5 % ({repeats} worlds without a change)")
    rng, rows = np.random.default_rng(7), []
    for _ in range(repeats):
        x, y = confidences(rng, 25), confidences(rng, 150)
        z = scipy_stats.norm.sf(0.6 * rng.normal() + 0.8 * rng.normal(size=20))
        reference = rng.normal(size=80)
        looks = [ks_two_sample(rng.normal(size=12), reference)[1] for _ in range(20)]
        low, high = confidence_sequence(rng.beta(8, 2, 100), resolution=100)
        rows.append(
            {
                "KS, clip means": ks_two_sample(clip_means(*x), clip_means(*y))[1] <= 0.05,
                "KS, frames (wrong)": scipy_stats.ks_2samp(x[0], y[0], method="asymp").pvalue <= 0.05,
                "share of clips": share_test(*[int(v) for v in (rng.binomial(25, 0.2), 25)],
                                             *[int(v) for v in (rng.binomial(150, 0.2), 150)]) <= 0.05,
                "20 slices, Holm": (holm(z) <= 0.05).any(),
                "20 slices, none (wrong)": (z <= 0.05).any(),
                "20 looks, spending": any(p <= alpha_spending(t) for t, p in enumerate(looks, 1)),
                "20 looks, 5 % each (wrong)": min(looks) <= 0.05,
                "confidence sequence, ever": (low > 0.8).any() or (high < 0.8).any(),
            }
        )  # fmt: skip
    for name in rows[0]:
        print(f"{name:30}{show(np.mean([row[name] for row in rows]), repeats):>16}")


def seconds(call, times):
    call()
    begin = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - begin) / times


def speed_table():
    print("\nSpeed, 12,000 frames in 600 clips")
    rng = np.random.default_rng(0)
    clip = np.repeat(np.arange(600), 20)
    right, other = rng.random((2, 12_000)) < 0.9
    means = clip_means(right, clip)
    ours = seconds(
        lambda: clustered_bootstrap(right * 1.0, clip, statistic=np.mean, n_resamples=500), 3
    )
    peer = seconds(
        lambda: scipy_stats.bootstrap(
            (means,), np.mean, n_resamples=500, method="percentile", vectorized=False
        ),
        3,
    )
    print(f"{'clustered_mean':34}{1000 * seconds(lambda: clustered_mean(right, clip), 50):9.2f} ms")
    print(
        f"{'paired_difference':34}{1000 * seconds(lambda: paired_difference(right, other, clip), 50):9.2f} ms"
    )
    print(
        f"{'mcnemar by clip, exact':34}{1000 * seconds(lambda: mcnemar(right, other, clip), 5):9.2f} ms"
    )
    print(f"{'clustered_bootstrap, 500 draws':34}{1000 * ours:9.2f} ms")
    print(f"{'scipy bootstrap of clip means':34}{1000 * peer:9.2f} ms   ratio {ours / peer:.2f}")
    k = seconds(lambda: ks_two_sample(means[:100], means), 20)
    s = seconds(lambda: scipy_stats.ks_2samp(means[:100], means), 20)
    print(f"{'ks_two_sample 100 against 600':34}{1000 * k:9.2f} ms   ratio to scipy {k / s:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=2000, help="simulated samples per row")
    repeats = parser.parse_args().repeats
    coverage_table(repeats)
    paired_table(max(repeats // 2, 10))
    alarms_table(max(repeats // 2, 10))
    speed_table()


if __name__ == "__main__":
    main()

"Every stated error rate is measured on data whose truth is known; seeds are fixed."

import json
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from mlops_nb.stats import (
    Interval,
    alpha_spending,
    clip_means,
    clustered_bootstrap,
    clustered_mean,
    confidence_sequence,
    difference,
    evidence,
    holm,
    ks_two_sample,
    mcnemar,
    non_inferior,
    paired_difference,
    permutation_test,
    share_test,
    wilson,
)

SIZES: dict[str, Callable] = {
    "equal": lambda rng, m: np.full(m, 20),
    "unequal": lambda rng, m: rng.geometric(1 / 15, m),
    "heavy": lambda rng, m: np.ceil(np.exp(rng.normal(2, 1.2, m))).astype(int),
    "single": lambda rng, m: np.ones(m, int),
}


def tolerance(rate: float, repeats: int) -> float:
    "Three Monte-Carlo standard errors."
    return 3 * np.sqrt(rate * (1 - rate) / repeats)


def right_or_wrong(rng, m, *, accuracy, agreement, sizes="equal"):
    "Frames of a clip share a skill drawn from a beta law; `agreement` is its intraclass correlation."
    clip = np.repeat(np.arange(m), SIZES[sizes](rng, m))
    if not agreement:
        return rng.random(len(clip)) < accuracy, clip
    k = (1 - agreement) / agreement
    skill = rng.beta(accuracy * k, (1 - accuracy) * k, m)
    return rng.random(len(clip)) < skill[clip], clip


def with_broken_clips(rng, m, *, broken, sizes="equal"):
    "A good model, but a few clips are wrong from end to end."
    clip = np.repeat(np.arange(m), SIZES[sizes](rng, m))
    fine = (rng.random(m) >= broken)[clip]
    return fine & (rng.random(len(clip)) < 0.97), clip


def coverage(draw, truth, *, repeats, interval=clustered_mean, seed=0):
    rng = np.random.default_rng(seed)
    found = [interval(*draw(rng)) for _ in range(repeats)]
    return np.mean([f.low <= truth <= f.high for f in found])


# --- intervals of a share -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("m", "sizes", "accuracy", "agreement"),  # the whole grid is in benchmarks/stats.py
    [
        (5, "equal", 0.5, 0.3),
        (5, "heavy", 0.9, 0.05),
        (15, "equal", 0.95, 0.3),
        (15, "unequal", 0.98, 0.6),
        (15, "heavy", 0.5, 0.3),
        (40, "single", 0.9, 0.3),
        (40, "equal", 0.98, 0.6),
        (40, "unequal", 0.9, 0.0),
        (100, "heavy", 0.98, 0.6),
        (100, "unequal", 0.5, 0.3),
    ],
)
def test_the_interval_of_an_accuracy_covers(m, sizes, accuracy, agreement):
    def draw(rng):
        return right_or_wrong(rng, m, accuracy=accuracy, agreement=agreement, sizes=sizes)

    assert coverage(draw, accuracy, repeats=500) >= 0.95 - tolerance(0.95, 500)


@pytest.mark.parametrize("sizes", ["equal", "unequal"])
@pytest.mark.parametrize("m", [10, 60])
def test_the_interval_covers_when_a_few_clips_are_wholly_wrong(m, sizes):
    def draw(rng):
        return with_broken_clips(rng, m, broken=0.05, sizes=sizes)

    assert coverage(draw, 0.97 * 0.95, repeats=500) >= 0.95 - tolerance(0.95, 500)


def test_the_naive_interval_fails_where_ours_holds():
    "Without this the coverage tests might be too easy."

    def naive(right, clip):
        return wilson(int(right.sum()), len(right))

    def draw(rng):
        return right_or_wrong(rng, 40, accuracy=0.9, agreement=0.3)

    assert coverage(draw, 0.9, repeats=400, interval=naive) < 0.7


def test_the_interval_is_not_longer_than_it_has_to_be():
    "With many clips at most a quarter longer than the one that knows the true variance."
    rng, m, n = np.random.default_rng(3), 400, 20
    lengths = []
    for _ in range(50):
        found = clustered_mean(*right_or_wrong(rng, m, accuracy=0.9, agreement=0.2))
        lengths.append(found.high - found.low)
    error = np.sqrt(0.9 * 0.1 / (m * n) * (1 + (n - 1) * 0.2))
    assert 2 * 1.96 * error < np.mean(lengths) < 1.25 * 2 * 1.96 * error


@pytest.mark.parametrize("k", [0, 3, 17, 20])
def test_single_frame_clips_give_the_exact_binomial_interval(k):
    found = clustered_mean([1] * k + [0] * (20 - k), range(20))
    peer = scipy_stats.binomtest(k, 20).proportion_ci(method="exact")
    np.testing.assert_allclose([found.low, found.high], [peer.low, peer.high], atol=1e-9)


@pytest.mark.parametrize("k", [0, 1, 8, 10])
def test_wilson_agrees_with_scipy(k):
    peer = scipy_stats.binomtest(k, 10).proportion_ci(method="wilson")
    found = wilson(k, 10)
    np.testing.assert_allclose([found.low, found.high], [peer.low, peer.high], atol=1e-9)


def test_all_right_and_all_wrong_mirror_each_other_and_never_claim_certainty():
    clips = np.repeat(np.arange(8), 30)
    best, worst = clustered_mean(np.ones(240), clips), clustered_mean(np.zeros(240), clips)
    assert best.high == 1 and worst.low == 0
    assert best.low == pytest.approx(1 - worst.high) == pytest.approx(0.025 ** (1 / 8))


def test_one_clip_says_next_to_nothing():
    found = clustered_mean(np.ones(500), ["drive-1"] * 500)
    assert found.low == pytest.approx(0.025) and found.clusters == 1


frames = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=60)


@settings(deadline=None)
@given(frames)
def test_an_interval_contains_its_value_and_ignores_order_and_names(rows):
    right, clip = [r for r, _ in rows], [c for _, c in rows]
    found = clustered_mean(right, clip)
    assert 0 <= found.low <= found.value <= found.high <= 1
    again = clustered_mean(right[::-1], [f"drive-{c}" for c in clip[::-1]])
    assert again.low == pytest.approx(found.low) and again.high == pytest.approx(found.high)
    mirrored = clustered_mean([not r for r in right], clip)
    assert mirrored.low == pytest.approx(1 - found.high, abs=1e-9)


@settings(deadline=None)
@given(frames)
def test_more_confidence_never_shortens_an_interval(rows):
    right, clip = [r for r, _ in rows], [c for _, c in rows]
    narrow = clustered_mean(right, clip, confidence=0.8)
    wide = clustered_mean(right, clip, confidence=0.99)
    assert wide.low <= narrow.low + 1e-9 and narrow.high <= wide.high + 1e-9


# --- bootstrap and differences --------------------------------------------------------------------


def test_the_bootstrap_covers_a_mean_of_anything():
    def draw(rng):
        drive = rng.normal(15, 2, 15)
        return rng.normal(np.repeat(drive, 8), 3), np.repeat(np.arange(15), 8)

    def interval(x, clip):
        return clustered_bootstrap(x, clip, statistic=np.mean, n_resamples=200)

    reached = coverage(draw, 15, repeats=200, interval=interval)
    assert reached >= 0.95 - tolerance(0.95, 200)


def test_the_bootstrap_draws_whole_clips_and_repeats_itself():
    seen = []

    def note(rows):
        seen.append(rows)
        return float(len(rows))

    clips = ["b", "a", "b", "c", "c", "c"]
    found = clustered_bootstrap(np.arange(6), clips, statistic=note, n_resamples=50, confidence=0.9)
    members = {0: (0, 2), 1: (1,), 3: (3, 4, 5)}
    for rows in seen[:-1]:
        whole = [members[r] for r in rows if r in members]
        assert len(whole) == 3 and sorted(rows) == sorted(sum(whole, ()))
    assert found == clustered_bootstrap(
        np.arange(6), clips, statistic=note, n_resamples=50, confidence=0.9
    )


def test_without_a_statistic_the_exact_method_answers():
    right, clip = [1, 1, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2]
    assert clustered_bootstrap(right, clip) == clustered_mean(right, clip)


def two_models(rng, m, *, gain, loss, sizes="equal"):
    "Whole clips are gained or lost now and then, single frames more often."
    clip = np.repeat(np.arange(m), SIZES[sizes](rng, m))
    part = rng.random(m)[clip]  # half of each rate comes as whole clips
    lone = rng.random(len(clip))
    move = np.select(
        [part < gain / 2, part > 1 - loss / 2, lone < gain / 2, lone > 1 - loss / 2], [1, -1, 1, -1]
    )
    base = rng.random(len(clip)) < 0.5
    return (
        np.where(move == 1, 1, np.where(move == -1, 0, base)),
        np.where(move == 1, 0, np.where(move == -1, 1, base)),
        clip,
    )


def expected(gain, loss):
    whole = (gain - loss) / 2
    return whole + (1 - gain / 2 - loss / 2) * whole


@pytest.mark.parametrize(
    ("m", "sizes", "gain", "loss"),
    [
        (10, "equal", 0.02, 0.02),
        (10, "unequal", 0.0, 0.1),
        (40, "equal", 0.1, 0.02),
        (40, "unequal", 0.02, 0.02),
        (40, "heavy", 0.0, 0.1),
        (150, "equal", 0.0, 0.1),
        (150, "unequal", 0.1, 0.02),
    ],
)
def test_the_interval_of_a_paired_difference_covers(m, sizes, gain, loss):
    def draw(rng):
        return two_models(rng, m, gain=gain, loss=loss, sizes=sizes)

    reached = coverage(draw, expected(gain, loss), repeats=300, interval=paired_difference)
    assert reached >= 0.95 - tolerance(0.95, 300)


def test_non_inferiority_is_claimed_wrongly_at_most_one_time_in_forty():
    rng, repeats = np.random.default_rng(5), 800
    margin = -expected(0.02, 0.06)  # the candidate is worse by exactly the margin
    claims = [
        non_inferior(paired_difference(*two_models(rng, 80, gain=0.02, loss=0.06)), margin)
        for _ in range(repeats)
    ]
    assert np.mean(claims) <= 0.025 + tolerance(0.025, repeats)


def test_non_inferiority_is_found_where_it_is_true():
    rng = np.random.default_rng(6)
    found = [
        non_inferior(paired_difference(*two_models(rng, 400, gain=0.02, loss=0.02)), 0.03)
        for _ in range(100)
    ]
    assert np.mean(found) > 0.9


def test_two_models_that_always_agree_have_not_shown_that_they_are_equal():
    right = np.ones(100)
    assert paired_difference(right, right, np.repeat(np.arange(10), 10)).low < -0.25
    assert paired_difference(right, right, np.arange(100)).low > -0.06


def test_the_interval_of_an_unpaired_difference_covers():
    rng, repeats, inside = np.random.default_rng(8), 600, 0
    for _ in range(repeats):
        a = clustered_mean(*right_or_wrong(rng, 30, accuracy=0.95, agreement=0.2))
        b = clustered_mean(*right_or_wrong(rng, 60, accuracy=0.85, agreement=0.2))
        found = difference(a, b)
        inside += found.low <= 0.1 <= found.high
    assert inside / repeats >= 0.95 - tolerance(0.95, repeats)


# --- tests ----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_is_the_exact_sign_test_on_single_frames(rows):
    gains, losses = sum(a and not b for a, b in rows), sum(b and not a for a, b in rows)
    peer = scipy_stats.binomtest(gains, gains + losses).pvalue if gains + losses else 1.0
    assert mcnemar([a for a, _ in rows], [b for _, b in rows]) == pytest.approx(peer)


def test_mcnemar_keeps_its_level_by_clip_and_not_by_frame():
    rng, repeats = np.random.default_rng(9), 500
    by_clip, by_frame = 0, 0
    for _ in range(repeats):
        a, b, clip = two_models(rng, 60, gain=0.15, loss=0.15)
        by_clip += mcnemar(a, b, clip) <= 0.05
        by_frame += mcnemar(a, b) <= 0.05
    assert by_clip / repeats <= 0.05 + tolerance(0.05, repeats) < 0.2 < by_frame / repeats


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


def test_holm_keeps_the_family_wise_error_under_dependence():
    rng, repeats, alarms, naive = np.random.default_rng(10), 2000, 0, 0
    for _ in range(repeats):
        z = 0.6 * rng.normal() + 0.8 * rng.normal(size=15)
        z[:5] += 4  # five slices really changed; only the other ten can be false alarms
        p = scipy_stats.norm.sf(z)
        alarms += (holm(p)[5:] <= 0.05).any()
        naive += (p[5:] <= 0.05).any()
    assert alarms / repeats <= 0.05 + tolerance(0.05, repeats)
    assert naive / repeats > 0.2


def confidences(rng, clips, *, shift=0.0):
    "Softmax tops, 8 frames per clip, alike within a clip."
    clip = np.repeat(np.arange(clips), 8)
    return 1 / (
        1 + np.exp(shift - 2 - rng.normal(size=clips)[clip] - rng.normal(0, 0.2, len(clip)))
    ), clip


@pytest.mark.parametrize(("window", "reference"), [(8, 60), (25, 200)])
def test_ks_keeps_its_level_on_clips_and_not_on_frames(window, reference):
    rng, repeats = np.random.default_rng(11), 300
    on_clips, on_frames = 0, 0
    for _ in range(repeats):
        x, y = confidences(rng, window), confidences(rng, reference)
        on_clips += ks_two_sample(clip_means(*x), clip_means(*y))[1] <= 0.05
        on_frames += scipy_stats.ks_2samp(x[0], y[0], method="asymp").pvalue <= 0.05
    assert on_clips / repeats <= 0.05 + tolerance(0.05, repeats) < 0.3 < on_frames / repeats


def test_ks_sees_a_shift():
    rng = np.random.default_rng(12)
    found = [
        ks_two_sample(
            clip_means(*confidences(rng, 25, shift=1.2)), clip_means(*confidences(rng, 200))
        )[1]
        for _ in range(50)
    ]
    assert np.mean(np.array(found) <= 0.05) > 0.9


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_share_test_keeps_its_level(share):
    rng, repeats = np.random.default_rng(13), 500
    window, reference = rng.binomial(20, share, repeats), rng.binomial(120, share, repeats)
    p = [share_test(int(k1), 20, int(k0), 120) for k1, k0 in zip(window, reference, strict=True)]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + tolerance(0.05, repeats)
    assert share_test(14, 20, 36, 120) < 0.01


def test_the_permutation_test_keeps_its_level_and_sees_a_difference():
    rng, repeats = np.random.default_rng(14), 300
    p = [
        permutation_test(rng.exponential(size=7), rng.exponential(size=20), n_permutations=99)
        for _ in range(repeats)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.05 + tolerance(0.05, repeats)
    assert permutation_test(np.arange(8) + 20.0, np.arange(8), n_permutations=499) == 1 / 500
    assert permutation_test([1.0, 1.0], [1.0, 1.0], n_permutations=9) == 1.0  # ties count as large


# --- for ever -------------------------------------------------------------------------------------


def test_the_spent_alpha_sums_to_alpha():
    spent = [alpha_spending(t, 0.05) for t in range(1, 2000)]
    assert 0.0499 < sum(spent) < 0.05


def test_a_watch_against_one_reference_pages_at_most_as_often_as_promised():
    "All looks share the reference, so their p-values depend on each other."
    rng, repeats, spending, repeated = np.random.default_rng(15), 250, 0, 0
    for _ in range(repeats):
        reference = rng.normal(size=60)
        p = [ks_two_sample(rng.normal(size=10), reference)[1] for _ in range(12)]
        spending += any(x <= alpha_spending(t, 0.05) for t, x in enumerate(p, 1))
        repeated += any(x <= 0.05 for x in p)
    assert spending / repeats <= 0.05 + tolerance(0.05, repeats) < 0.2 < repeated / repeats


def test_evidence_rarely_ever_reaches_its_limit_without_a_change():
    rng, repeats = np.random.default_rng(16), 2000
    reached = [evidence(rng.random(200)).max() >= 20 for _ in range(repeats)]
    assert np.mean(reached) <= 0.05 + tolerance(0.05, repeats)
    assert evidence([0.001] * 4)[-1] > 1000
    assert np.isfinite(evidence([0.0] * 500)).all()


@pytest.mark.parametrize("law", ["always", "beta", "rare"])
def test_a_confidence_sequence_contains_the_mean_at_all_times_at_once(law):
    rng, repeats, outside = np.random.default_rng(17), 150, 0
    for _ in range(repeats):
        draw = {
            "always": lambda: np.full(150, 0.8),
            "beta": lambda: rng.beta(8, 2, 150),
            "rare": lambda: (rng.random(150) < 0.8).astype(float),
        }[law]()
        low, high = confidence_sequence(draw, resolution=100)
        assert (np.diff(low) >= 0).all() and (np.diff(high) <= 0).all()
        outside += (low > 0.8).any() or (high < 0.8).any()
    assert outside / repeats <= 0.05 + tolerance(0.05, repeats)


def test_a_confidence_sequence_shrinks_onto_the_mean():
    low, high = confidence_sequence(np.random.default_rng(18).beta(8, 2, 1500))
    assert low[-1] > 0.77 and high[-1] < 0.83 and high[0] - low[0] > 0.9


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: clustered_mean([], []), "at least one frame"),
        (lambda: clustered_mean([1, 0], ["a"]), "one clip name per frame"),
        (lambda: clustered_mean([1, np.nan], ["a", "b"]), "1 of them not finite"),
        (lambda: clustered_mean([1, 2], ["a", "b"]), "clustered_bootstrap"),
        (lambda: clustered_mean([1, 0], ["a", "b"], confidence=95), "0.95 for 95 %"),
        (lambda: clustered_bootstrap([1, 2], ["a", "a"], statistic=np.mean), "Add clips"),
        (lambda: wilson(3, 2), "n >= 1"),
        (lambda: wilson(0, 0), "n >= 1"),
        (lambda: paired_difference([1], [1, 0], ["a"]), "same frames"),
        (lambda: mcnemar([1], [1, 0]), "same frames"),
        (lambda: mcnemar([], []), "at least one frame"),
        (lambda: non_inferior(wilson(1, 2), -0.1), "not negative"),
        (lambda: difference(wilson(1, 2), wilson(1, 2, confidence=0.9)), "same confidence"),
        (lambda: holm([0.1, 1.2]), "outside"),
        (lambda: holm([np.nan]), "outside"),
        (lambda: share_test(3, 2, 1, 1), "parts of their totals"),
        (lambda: ks_two_sample([], [1.0]), "at least one frame"),
        (lambda: alpha_spending(0), "from 1"),
        (lambda: alpha_spending(3, 5), "inside"),
        (lambda: confidence_sequence([1.5]), "Scale"),
    ],
)
def test_nonsense_is_refused_with_a_remedy(call, says):
    with pytest.raises(ValueError, match=says) as caught:
        call()
    assert str(caught.value).count(". ") >= 1


def test_an_interval_survives_json_and_prints_its_numbers():
    found = clustered_mean([1, 1, 0], ["a", "a", "b"])
    assert Interval.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert asdict(found) == found.to_dict()
    assert f"{found:.2f}" == "0.67" and float(found) == found.value
    assert str(found) == f"{found}" == "0.667 [" + f"{found.low:.3f}, {found.high:.3f}]"


def test_clip_means_keep_the_order_in_which_clips_appear():
    np.testing.assert_allclose(clip_means([3, 1, 5, 2], ["z", "a", "z", "b"]), [4, 1, 2])

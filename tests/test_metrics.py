"Metrics against scikit-learn's, where it is installed, and by hand everywhere."

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_nb.metrics import (
    accuracy,
    balanced_accuracy,
    confusion,
    expected_calibration_error,
    latency_percentiles,
    macro_f1,
)

labels = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1)


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


@settings(deadline=None)
@given(rows=labels)
def test_they_agree_with_scikit_learn(peer, rows):
    label, said = [a for a, _ in rows], [b for _, b in rows]
    assert accuracy(label, said) == pytest.approx(peer.accuracy_score(label, said))
    assert macro_f1(label, said) == pytest.approx(peer.f1_score(label, said, average="macro"))
    assert (
        confusion(label, said, "abcd") == peer.confusion_matrix(label, said, labels=[*"abcd"])
    ).all()
    recall = peer.recall_score(label, said, average="macro", labels=sorted(set(label)))
    assert balanced_accuracy(label, said) == pytest.approx(recall)


@settings(deadline=None)
@given(labels)
def test_renaming_and_reordering_change_nothing(rows):
    label, said = [a for a, _ in rows], [b for _, b in rows]
    number = {"a": 7, "b": 3, "c": 0, "d": 5}
    again = [number[a] for a in label[::-1]], [number[b] for b in said[::-1]]
    for metric in (accuracy, balanced_accuracy, macro_f1):
        assert metric(*again) == pytest.approx(metric(label, said))
    assert np.trace(confusion(label, said, "abcd")) == round(accuracy(label, said) * len(rows))


def test_a_class_nobody_has_or_names_does_not_count():
    assert macro_f1(["a", "b"], ["a", "b"]) == 1.0
    assert macro_f1(["a", "a"], ["a", "c"]) == pytest.approx((2 / 3 + 0) / 2)
    assert balanced_accuracy(["a", "a"], ["a", "c"]) == 0.5


def test_calibration_by_hand():
    score, right = [0.95, 0.95, 0.55, 0.55], [True, True, True, False]
    assert expected_calibration_error(score, right, n_bins=10) == pytest.approx(0.05)
    assert expected_calibration_error([1.0], [True]) == 0.0
    assert expected_calibration_error([1.0], [False]) == 1.0


def test_a_calibrated_model_has_a_small_error_and_a_boaster_a_large_one():
    rng = np.random.default_rng(0)
    score = rng.uniform(0.3, 1, 20_000)
    right = rng.random(20_000) < score
    assert expected_calibration_error(score, right) < 0.02
    assert expected_calibration_error(np.sqrt(score), right) > 0.1


def test_percentiles_are_measured_values():
    ms = [5.0, 1.0, 2.0, 100.0]
    found = latency_percentiles(ms)
    assert found == {"p50": 5.0, "p90": 100.0, "p95": 100.0, "p99": 100.0, "max": 100.0}
    assert set(latency_percentiles([3.0]).values()) == {3.0}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: accuracy([], []), "at least one"),
        (lambda: accuracy(["a"], ["a", "b"]), "one label per prediction"),
        (lambda: accuracy([None, "a"], ["a", "a"]), "1 of 4 labels and predictions are missing"),
        (lambda: macro_f1([np.nan, 1.0], [1.0, 1.0]), "missing"),
        (lambda: confusion(["a", "x"], ["a", "a"], "ab"), "first: x"),
        (lambda: confusion(["a"], ["a"], "aa"), "listed twice"),
        (lambda: expected_calibration_error([1.2], [True]), "1 outside"),
        (lambda: expected_calibration_error([np.nan], [True]), "1 outside"),
        (lambda: expected_calibration_error([], []), "at least one prediction"),
        (lambda: latency_percentiles([]), "at least one"),
        (lambda: latency_percentiles([1.0, -1.0]), "1 of them negative"),
    ],
)
def test_nonsense_is_refused_with_a_remedy(call, says):
    with pytest.raises(ValueError, match=says):
        call()

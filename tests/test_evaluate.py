"Reports, comparisons and the gate: what they say, how sure they are, what they refuse."

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from mlops_nb.evaluate import (
    VERDICTS,
    Comparison,
    Decision,
    Policy,
    Report,
    compare,
    evaluate,
    gate,
)
from mlops_nb.stats import Interval

CLASSES = ("stop", "yield", "keep_right")


def predictions(seed, *, skill=0.95, clips=60, frames=5, agreement=0.2, weather=("clear",), data=0):
    "Frames of a clip share a skill; the data (labels, weather) depends on `data` alone."
    world, model = np.random.default_rng(data), np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), frames)
    label = world.integers(0, 3, clips)[clip]
    k = (1 - agreement) / agreement
    right = model.random(len(clip)) < model.beta(skill * k, (1 - skill) * k, clips)[clip]
    said = np.where(right, label, (label + 1) % 3)
    return pa.table(
        {
            "image_id": [f"img:{i:04x}" for i in range(len(clip))],
            "clip": [f"drive-{c}" for c in clip],
            "label": np.array(CLASSES)[label],
            "predicted": np.array(CLASSES)[said],
            "score": model.uniform(0.5, 1, len(clip)).astype(np.float32),
            "weather": np.array(weather)[world.integers(0, len(weather), clips)[clip]],
        }
    )


def judged(table, **more):
    return evaluate(table, classes=CLASSES, **more)


def interval(low, high, *, clips=100):
    return Interval((low + high) / 2, low, high, 0.95, clips * 5, clips)


def report(low, high, *, clips=100, model="bundle:new", data="data:1"):
    "A report whose accuracy is what the test needs."
    found = interval(low, high, clips=clips)
    base = judged(predictions(1))
    return dataclasses.replace(base, model=model, data=data, accuracy=found, slices=())


# --- report ---------------------------------------------------------------------------------------


def test_a_report_counts_what_is_there():
    table = predictions(1, weather=("clear", "snow"))
    found = judged(table, model="bundle:1", data="data:1")
    right = np.array(table["label"]) == np.array(table["predicted"])
    assert found.n == 300 and found.clips == 60
    assert found.accuracy.value == right.mean() == np.trace(found.confusion) / 300
    assert {s.name for s in found.slices} == {"weather", "label"}
    for name in ("weather", "label"):
        parts = [s for s in found.slices if s.name == name]
        assert sum(s.n for s in parts) == 300
        assert sum(s.accuracy.value * s.n for s in parts) == pytest.approx(right.sum())
    assert found.macro_f1.low <= found.macro_f1.value <= found.macro_f1.high


def test_reports_comparisons_and_decisions_survive_json_unchanged():
    a, b = predictions(1, weather=("clear", "snow")), predictions(2, weather=("clear", "snow"))
    new, old = (
        judged(a, model="bundle:a", data="data:1"),
        judged(b, model="bundle:b", data="data:1"),
    )
    both = compare(a, b, candidate_id="bundle:a", baseline_id="bundle:b")
    decision = gate(new, old, Policy(slices=("weather=fog", "weather")), comparison=both)
    for thing, kind in ((new, Report), (both, Comparison), (decision, Decision)):
        again = kind.from_json(thing.to_json())
        assert again == thing and again.to_json() == thing.to_json()
        assert hash(again) == hash(thing)
        json.loads(thing.to_json(), parse_constant=pytest.fail)  # no NaN, no Infinity
    assert Report.from_json(new.to_json()).id == new.id and new.id.startswith("report:")
    assert judged(a, model="bundle:a", data="data:1").id == new.id != old.id


def test_the_order_of_rows_does_not_matter():
    table = predictions(3, weather=("clear", "snow"))
    shuffled = table.take(np.random.default_rng(0).permutation(len(table)))
    one, two = judged(table), judged(shuffled)
    assert one.accuracy == two.accuracy and one.confusion == two.confusion
    assert [(s.value, s.accuracy) for s in one.slices] == [
        (s.value, s.accuracy) for s in two.slices
    ]


def test_a_fact_that_is_missing_somewhere_is_a_slice_of_its_own():
    table = predictions(1)
    weather = ["clear"] * 200 + [None] * 100
    table = table.set_column(5, "weather", pa.array(weather))
    parts = [s for s in judged(table, slices=["weather"]).slices]
    assert [(s.value, s.n) for s in parts] == [("clear", 200), ("unknown", 100)]
    nowhere = table.set_column(5, "weather", pa.nulls(300, pa.string()))
    assert {s.name for s in judged(nowhere).slices} == {"label"}


def test_photographs_without_a_light_are_cut_by_how_bright_they_are():
    table = predictions(3)
    levels = [0.1] * 100 + [0.15] * 80 + [0.5] * 100 + [None] * 20
    table = table.append_column("brightness", pa.array(levels, pa.float32()))
    parts = {s.value: s.n for s in judged(table).slices if s.name == "exposure"}
    assert parts == {"dark": 100, "normal": 80, "bright": 100, "unknown": 20}
    both = compare(table, table, slices=["exposure"])
    assert {s.value: s.n for s in both.slices} == parts
    own = table.append_column("exposure", pa.array(["auto"] * 300))
    assert {s.value for s in judged(own, slices=["exposure"]).slices} == {"auto"}


def test_a_single_clip_leaves_everything_open():
    found = judged(predictions(1, clips=1))
    assert found.accuracy.high - found.accuracy.low > 0.9
    assert (found.macro_f1.low, found.macro_f1.high) == (0, 1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.drop_columns("clip"), "no column 'clip'"),
        (lambda t: t.rename_columns({"predicted": "prediction"}), "Did you mean 'prediction'"),
        (lambda t: t.set_column(2, "label", pa.nulls(len(t), pa.string())), "300 of 300 values"),
        (lambda t: t.slice(0, 0), "at least one"),
        (lambda t: t.set_column(4, "score", pa.array([1.5] * len(t))), "300 outside"),
        (lambda t: t.set_column(2, "label", pa.array(["moose"] * len(t))), "moose"),
    ],
)
def test_predictions_that_cannot_be_judged_are_refused(change, says):
    with pytest.raises(ValueError, match=says):
        judged(change(predictions(1)))


def test_an_unknown_slice_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'weather'"):
        judged(predictions(1), slices=["wether"])


# --- comparison -----------------------------------------------------------------------------------


def test_a_comparison_pairs_by_image_and_counts_what_has_no_partner():
    a, b = predictions(1), predictions(2)
    shuffled = b.take(np.random.default_rng(0).permutation(len(b))).slice(0, 250)
    found = compare(a, shuffled)
    assert (found.n, found.unpaired) == (250, 50)
    assert compare(a, b).difference.value == pytest.approx(
        judged(a).accuracy.value - judged(b).accuracy.value
    )
    assert compare(a, a).mcnemar_p == 1.0 and compare(a, a).difference.value == 0


def test_swapping_the_models_mirrors_the_comparison():
    a, b = predictions(1, skill=0.9), predictions(2, skill=0.8)
    one, two = compare(a, b), compare(b, a)
    assert one.difference.low == pytest.approx(-two.difference.high)
    assert one.mcnemar_p == pytest.approx(two.mcnemar_p)


def test_pairing_needs_the_same_data():
    a, b = predictions(1), predictions(2, data=9)
    with pytest.raises(ValueError, match="under another label"):
        compare(a, b)
    strangers = b.set_column(0, "image_id", pa.array([f"img:x{i}" for i in range(len(b))]))
    with pytest.raises(ValueError, match="0 images in common"):
        compare(a, strangers)


def test_an_image_with_two_labels_is_refused_and_a_plain_copy_is_not():
    a = predictions(1)
    assert compare(pa.concat_tables([a, a.slice(0, 9)]), a).n == 300
    other = a.slice(0, 1).set_column(2, "label", pa.array(["keep_right"]))
    other = other.set_column(3, "predicted", pa.array(["stop"]))
    with pytest.raises(ValueError, match="occurs twice"):
        compare(pa.concat_tables([a, other]), a)


# --- policy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        {"min_accuracy": 95},
        {"min_accuracy": float("nan")},
        {"min_accuracy": "0.9"},
        {"min_accuracy": True},
        {"min_accuracy": None},
        {"max_drop": -0.01},
        {"max_slice_drop": 0.1},  # of no slice
        {"max_slice_drop": 2, "slices": ("weather",)},
        {"min_clips": 0},
        {"min_clips": 2.5},
        {"min_slice_clips": -1},
        {"slices": "weather"},
        {"slices": ("",)},
        {"slices": ("=snow",)},
        {"slices": (3,)},
        {"confidence": 95},
        {"confidence": 1.0},
        {"confidence": 0.1},
    ],
    ids=str,
)
def test_a_policy_refuses_nonsense(nonsense):
    with pytest.raises(ValueError, match="1 faults"):
        Policy(**nonsense)


def test_a_policy_tells_all_its_faults_at_once_and_knows_its_names():
    with pytest.raises(ValueError, match="3 faults: .*min_accuracy 95.*min_clips 0.*confidence 95"):
        Policy(min_accuracy=95, min_clips=0, confidence=95)
    with pytest.raises(ValueError, match="Did you mean 'min_accuracy'"):
        Policy.from_dict({"min_acuracy": 0.9})
    same = Policy.from_dict({"slices": ["weather"], "min_clips": 30.0})
    assert same == Policy(slices=("weather",)) and hash(same) == hash(Policy(slices=("weather",)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        same.min_clips = 1


# --- gate -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "clips", "verdict"),
    [
        (0.92, 0.97, 100, "pass"),
        (0.90, 0.97, 100, "pass"),  # the limit itself is good enough
        (0.80, 0.89, 100, "fail"),
        (0.85, 0.94, 100, "not_enough_evidence"),
        (0.86, 0.96, 100, "not_enough_evidence"),
        (0.92, 0.97, 29, "not_enough_evidence"),
        (0.92, 0.97, 30, "pass"),
        (0.10, 0.50, 5, "fail"),  # few clips, and yet beyond doubt
    ],
)
def test_one_rule_for_a_requirement(low, high, clips, verdict):
    decision = gate(report(low, high, clips=clips))
    assert decision.verdict == verdict and decision.passed == (verdict == "pass")
    assert f"{low:.3f} to {high:.3f}" in decision.reasons[0] and "0.900" in decision.reasons[0]
    assert f"{clips} clips" in decision.reasons[0]


def test_every_reason_is_a_sentence_with_numbers_and_obstacles_come_first():
    table = predictions(1, skill=0.9, weather=("clear", "rain", "snow"))
    policy = Policy(min_accuracy=0.5, slices=("weather", "label=stop", "light"))
    decision = gate(judged(table), policy=policy)
    assert len(decision.reasons) == len(decision.evidence) == 6
    for reason in decision.reasons:
        assert reason.endswith(".") and reason[0].isupper() and "nan" not in reason
    assert all(any(c.isdigit() for c in r) for r in decision.reasons if "light" not in r)
    assert "where light is unknown: no frame" in "".join(decision.reasons)
    order = {"fail": 0, "not_enough_evidence": 1, "pass": 2}
    of = {h.reason: order[h.verdict] for h in decision.evidence}
    assert [of[r] for r in decision.reasons] == sorted(of[r] for r in decision.reasons)


def test_a_slice_that_is_not_in_the_data_holds_the_model_back():
    good = judged(predictions(1, skill=0.999, clips=400))
    assert gate(good).passed
    held = gate(good, policy=Policy(slices=("weather=snow",)))
    assert held.verdict == "not_enough_evidence" and "weather=snow" in held.reasons[0]


def test_the_baseline_counts_paired_or_not():
    a, b = predictions(1, skill=0.99, clips=400), predictions(2, skill=0.90, clips=400)
    new, old = judged(a, model="bundle:a", data="d"), judged(b, model="bundle:b", data="d")
    assert gate(new, old).passed
    back = gate(old, new, Policy(min_accuracy=0.5))
    assert back.verdict == "fail" and "Difference to the baseline" in back.reasons[0]
    paired = gate(new, old, comparison=compare(a, b))
    assert paired.passed and paired.baseline == "bundle:b" and paired.candidate == "bundle:a"


def test_a_drop_in_one_slice_is_seen_paired_or_not():
    clear, snow = {"skill": 0.99, "clips": 300}, {"skill": 0.6, "clips": 300, "data": 1}

    def world(seed, **snowy):
        parts = [
            predictions(seed, **clear),
            predictions(seed + 1, **{**snow, **snowy}, weather=("snow",)),
        ]
        table = pa.concat_tables(parts)
        n = len(table)
        table = table.set_column(0, "image_id", pa.array([f"img:{i}" for i in range(n)]))
        return table.set_column(1, "clip", pa.array([f"drive-{i // 5}" for i in range(n)]))

    policy = Policy(
        min_accuracy=0.5,
        max_drop=0.9,
        min_slice_accuracy=0.1,
        slices=("weather",),
        max_slice_drop=0.05,
    )
    good, bad = world(1, skill=0.95), world(5)
    new, old = judged(bad, model="n", data="d"), judged(good, model="o", data="d")
    for both in (None, compare(bad, good)):
        decision = gate(new, old, policy, comparison=both)
        assert decision.verdict == "fail"
        failed = [h.name for h in decision.evidence if h.verdict == "fail"]
        assert failed == ["Difference where weather is snow"]
    assert gate(new, None, policy).passed  # nothing to drop from


def test_a_reason_estimates_how_many_clips_would_decide():
    "And the estimate is about right: with so many more clips the same gate usually decides."
    few = gate(judged(predictions(4, skill=0.96, clips=60, agreement=0.05)))
    assert few.verdict == "not_enough_evidence"
    need = int(few.reasons[0].split("about ")[1].split(" clips")[0].replace(",", ""))
    assert 60 < need < 600
    more = [
        gate(
            judged(
                predictions(s, skill=few.evidence[0].found.value, clips=2 * need, agreement=0.05)
            )
        )
        for s in range(5)
    ]
    assert sum(d.verdict != "not_enough_evidence" for d in more) >= 4


def test_at_the_limit_no_number_of_clips_is_promised():
    assert "too close to the limit" in gate(report(0.85, 0.95)).reasons[0]


def test_pieces_that_do_not_belong_together_are_refused():
    new = report(0.9, 0.95)
    with pytest.raises(ValueError, match="confidence 0.95.*confidence=0.9"):
        gate(new, policy=Policy(confidence=0.9))
    with pytest.raises(ValueError, match="data:1 and data:2"):
        gate(new, report(0.9, 0.95, data="data:2"))
    a, b = predictions(1), predictions(2)
    with pytest.raises(ValueError, match="about bundle:other, not bundle:new"):
        gate(new, comparison=compare(a, b, candidate_id="bundle:other"))
    with pytest.raises(ValueError, match="with bundle:other, not bundle:old"):
        gate(
            new, report(0.9, 0.95, model="bundle:old"),
            comparison=compare(a, b, baseline_id="bundle:other"),
        )  # fmt: skip


def test_a_decision_is_known_by_its_content():
    decision = gate(report(0.92, 0.97))
    assert decision.id.startswith("decision:") and decision.to_dict()["id"] == decision.id
    assert gate(report(0.92, 0.97)).id == decision.id
    assert gate(report(0.92, 0.97), policy=Policy(max_drop=0.03)).id != decision.id
    forged = decision.to_json().replace('"verdict": "pass"', '"verdict": "fail"', 1)
    with pytest.raises(ValueError, match="altered"):
        Decision.from_json(forged)
    assert decision.verdict in VERDICTS


# --- error rates ----------------------------------------------------------------------------------


def test_a_model_at_the_limit_passes_at_most_one_time_in_forty():
    repeats = 150
    verdicts = [
        gate(judged(predictions(s, skill=0.9, clips=80), slices=())).verdict for s in range(repeats)
    ]
    for wrong in ("pass", "fail"):
        rate = verdicts.count(wrong) / repeats
        assert rate <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / repeats)


def test_a_clearly_good_model_passes_and_a_clearly_bad_one_fails():
    good = [gate(judged(predictions(s, skill=0.985, clips=150))).verdict for s in range(15)]
    bad = [gate(judged(predictions(s, skill=0.75, clips=150))).verdict for s in range(15)]
    assert good.count("pass") >= 13 and bad.count("fail") >= 13


def test_more_required_slices_never_make_a_false_pass_likelier():
    "One of three slices is bad by exactly the limit: the gate may pass at most 1 time in 40."
    passed, repeats = 0, 80
    policy = Policy(min_accuracy=0.5, slices=("label",), min_slice_accuracy=0.8)
    for s in range(repeats):
        table = predictions(s, skill=0.99, clips=150)
        stops = np.array(table["label"]) == "stop"
        worse = predictions(s + 10_000, skill=0.8, clips=150)
        said = np.where(stops, np.array(worse["predicted"]), np.array(table["predicted"]))
        passed += gate(
            judged(table.set_column(3, "predicted", pa.array(said))), policy=policy
        ).passed
    assert passed / repeats <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / repeats)

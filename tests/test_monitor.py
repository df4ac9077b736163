"Monitor: the promised rate of false pages, delays, refusals, and pages that arrive once."

import itertools
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from math import comb

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_nb import stats
from mlops_nb.ledger import acts
from mlops_nb.monitor import (
    Alert,
    Reference,
    Watch,
    WatchPolicy,
    acknowledge,
    monitor,
    page,
    paging,
    reference,
    shift,
    watch,
)
from mlops_nb.monitor import clips as monitor_clips
from mlops_nb.workspace import MonitorError

CLASSES = ("stop", "yield", "no_entry", "speed_30", "speed_50")
MODEL = "bundle:" + "5f" * 32


def traffic(seed, n_clips, *, snow=0.0, frames=8, model_id=MODEL, classes=CLASSES):
    "Drives of dependent frames: two signs each, and a mood that all frames of a drive share."
    rng, k = np.random.default_rng(seed), len(classes)
    signs = np.sort(rng.integers(0, k, (n_clips, 2)).repeat((frames + 1) // 2, axis=1))[:, :frames]
    mood = rng.normal(0, 1, (n_clips, 1, 1))
    logits = rng.normal(0, 1, (n_clips, frames, k)) + (6 + mood) * (1 - snow) * np.eye(k)[signs]
    logits[..., 0] += 3 * snow
    scores = np.exp(logits - logits.max(-1, keepdims=True))
    scores = (scores / scores.sum(-1, keepdims=True)).reshape(-1, k).astype(np.float32)
    n = n_clips * frames
    return pa.table(
        {
            "image_id": [f"img:{seed:04x}{i:08x}" for i in range(n)],
            "clip": [f"drive-{seed}-{i // frames:05d}" for i in range(n)],
            "model_id": [model_id] * n,
            "predicted": [classes[i] for i in scores.argmax(1)],
            "scores": list(scores),
        }
    )


GOOD = reference(traffic(1, 100), model_id=MODEL, classes=CLASSES)


def snowfall(seed=2, quiet=40, n=24, snow=0.5):
    return pa.concat_tables([traffic(seed, quiet), traffic(seed + 500, n, snow=snow)])


# The tests inside


@pytest.mark.parametrize("n, m", [(30, 8), (57, 13), (100, 16), (64, 64)])
def test_ks_p_values_are_those_of_the_exact_test_on_the_grid(n, m):
    rng = np.random.default_rng(n * m)
    for move in (0, 0.7, 1.5):
        distance, p = stats.ks_two_sample(rng.normal(move, 1, m), rng.normal(0, 1, n))
        table = shift._ks_p_values(n, m)
        g = round(distance * n * m) * 1024 // (n * m)
        assert table[min(g + 1, 1024)] <= p * (1 + 1e-9) and p <= table[g] * (1 + 1e-9)


def test_complete_separation_has_the_p_value_of_counting():
    assert shift._ks_p_values(40, 8)[1024] == pytest.approx(2 / comb(48, 8), rel=1e-9)


def test_distances_are_right_with_ties():
    rng = np.random.default_rng(3)
    for _ in range(50):
        known, window = (rng.integers(0, 6, (size, 3)).astype(np.float32) / 5 for size in (40, 8))
        ranks = shift._ranks(known, window)
        p = shift._tests(known, ranks, window)
        for s in (1, 2):
            distance, _ = stats.ks_two_sample(window[:, s], known[:, s])
            g = round(distance * 320) * 1024 // 320
            assert p[s] == shift._ks_p_values(40, 8)[g]


def test_share_test_on_single_frames_is_the_comparison_of_two_proportions():
    known = np.zeros((50, 3), np.float32)
    window = np.zeros((10, 3), np.float32)
    known[:10, 0], window[:7, 0] = 1, 1
    ranks = (np.zeros((10, 3), int), np.full((10, 3), 50))
    assert shift._tests(known, ranks, window)[0] == stats.share_test(7, 10, 10, 50)


@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=30))
def test_weighted_holm_with_equal_weights_is_holm(p):
    weight = np.full(len(p), 1 / len(p))
    np.testing.assert_allclose(shift._weighted_holm(np.array(p), weight), stats.holm(p), rtol=1e-9)


def test_a_check_makes_false_findings_no_more_often_than_it_says():
    "Family-wise error of one check, reference drawn anew each time; binomial sd is 0.015."
    wrong, runs, policy = 0, 200, WatchPolicy()
    rows = reference(traffic(11, runs * 80), model_id=MODEL, classes=CLASSES, max_clips=10**6).rows
    for block in rows[np.random.default_rng(0).permutation(len(rows))].reshape(runs, 80, -1):
        known, new = block[:48], block[48:]
        ranks = shift._ranks(known, new)
        wrong += (
            shift._check(new, ranks, reference=GOOD, known=known, policy=policy)[0].p_adjusted
            <= 0.05
        )
    assert wrong / runs <= 0.05 + 2 * 0.015


# The promise


@pytest.mark.parametrize("fixed", [False, True], ids=["fresh", "fixed"])
def test_lifetime_rate_of_false_pages(fixed):
    "30 lives of 200 clips at alpha 0.2: at most 6 expected; 11 or more has chance 0.03."
    policy, pages = WatchPolicy(alpha=0.2, ticket_alpha=0.2), 0
    for life in range(30):
        known = GOOD
        if not fixed:
            known = reference(traffic(5000 + life, 100), model_id=MODEL, classes=CLASSES)
        pages += watch(traffic(9000 + life, 200), known, policy).paged
    assert pages <= 10


def test_twenty_quiet_runs_do_not_page():
    assert sum(watch(traffic(100 + seed, 80), GOOD).paged for seed in range(20)) == 0


@pytest.mark.parametrize("seed", range(8))
def test_snow_is_paged_within_300_frames(seed):
    seen = watch(snowfall(200 + seed, n=38), GOOD)
    assert seen.paged and 0 < seen.paged_at_frame - 320 <= 300
    worst = [f.statistic for f in seen.windows[-1].findings]
    assert "top_score" in worst and "score" in worst


def test_a_class_that_appears_is_named():
    log = traffic(31, 140)
    predicted = np.array(log["predicted"].to_pylist())
    late = np.arange(len(predicted)) >= 320
    predicted[late & (predicted == "yield")] = "speed_50"
    log = log.set_column(3, "predicted", pa.array(predicted.tolist()))
    seen = watch(log, GOOD)
    (alert,) = [a for a in seen.alerts if a.level == "page"]
    assert (alert.statistic, alert.class_name) in [("share", "yield"), ("share", "speed_50")]
    assert alert.class_name in alert.sentence and abs(alert.after - alert.before) > 0.1


def test_tickets_come_before_pages_and_only_once():
    mild = pa.concat_tables([traffic(41, 40), traffic(42, 150, snow=0.15)])
    for log in (mild, snowfall()):
        levels = [a.level for a in watch(log, GOOD).alerts]
        assert levels in (["ticket", "page"], ["page"], ["ticket"])


def test_one_frame_per_clip():
    known = reference(traffic(51, 400, frames=1), model_id=MODEL, classes=CLASSES)
    assert not watch(traffic(52, 300, frames=1), known).alerts
    log = pa.concat_tables([traffic(53, 300, frames=1), traffic(54, 300, frames=1, snow=0.5)])
    assert 0 < watch(log, known).paged_at_frame - 300 <= 300


# Clips


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 511))
def test_reading_on_only_adds(seed, cut):
    whole, part = watch(snowfall(seed), GOOD), watch(snowfall(seed).slice(0, cut), GOOD)
    assert part.windows == whole.windows[: len(part.windows)]
    assert part.alerts == whole.alerts[: len(part.alerts)]
    assert all(w.last_frame > cut for w in whole.windows[len(part.windows) :])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(0, 512), max_size=6), st.booleans())
def test_a_log_in_pieces_says_what_the_whole_says(seed, cuts, ended):
    log, watching = snowfall(seed), shift.Watching(GOOD)
    for start, end in itertools.pairwise(sorted({0, 512, *cuts})):
        seen = watching.more(log.slice(start, end - start), ended=ended and end == 512)
    assert seen == watch(log, GOOD, ended=ended)


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 8), st.booleans())
def test_every_frame_is_in_one_complete_clip_or_open_or_late(names, idle, ended):
    clips = [f"c{i}" for i in names]
    arriving = monitor_clips.Arriving(idle)
    done, late = arriving.add(clips, ended=ended), arriving.late
    used = [i for _, frames, _ in done for i in frames]
    assert len(set(used)) == len(used) and len({c for c, _, _ in done}) == len(done)
    assert all(clips[i] == c for c, frames, _ in done for i in frames)
    if ended:
        assert len(used) + late == len(clips)
    else:
        assert all(arrived - 1 - frames[-1] == idle for _, frames, arrived in done)


def test_interleaved_clips_give_what_separate_ones_give():
    log = traffic(61, 64)
    order = np.arange(512).reshape(-1, 4, 8).transpose(0, 2, 1).ravel()  # four drives at a time
    mixed = watch(log.take(order), GOOD)
    apart = watch(log, GOOD)
    assert [w.evidence for w in mixed.windows] == [
        w.evidence for w in apart.windows[: len(mixed.windows)]
    ]
    assert mixed.clips == 60 and apart.clips == 62 and watch(log, GOOD, ended=True).clips == 64


def test_late_frames_change_nothing():
    log = snowfall()
    again = pa.concat_tables([log, log.slice(0, 8)])
    assert watch(again, GOOD).late_frames == 8
    assert watch(again, GOOD).alerts == watch(log, GOOD).alerts


def test_missing_clips_and_server_logs_are_understood():
    log = traffic(71, 60, frames=1)
    known = reference(traffic(72, 60, frames=1), model_id=MODEL, classes=CLASSES)
    served = log.drop(["clip"])
    nameless = log.set_column(1, "clip", pa.array([None] * 60, pa.string()))
    want = [w.evidence for w in watch(log, known).windows]
    assert [w.evidence for w in watch(served, known).windows] == want
    assert [w.evidence for w in watch(nameless, known).windows] == want


def test_clips_cut_to_the_same_length_agree():
    long = traffic(81, 100, frames=30)
    short = traffic(82, 60, frames=4)
    with pytest.raises(ValueError, match="frames_per_clip=4"):
        watch(short, reference(long, model_id=MODEL, classes=CLASSES))
    known = reference(long, model_id=MODEL, classes=CLASSES, frames_per_clip=4)
    assert set(known.clips["frames"].to_pylist()) == {4}
    shuffled = reference(
        long.take(np.random.default_rng(0).permutation(len(long))),
        model_id=MODEL, classes=CLASSES, frames_per_clip=4,
    )  # fmt: skip
    np.testing.assert_allclose(shuffled.rows, known.rows, atol=1e-6)


# Refusals and JSON


def _with(column, value, log):
    values = log[column].to_pylist()
    values[5] = value
    return log.set_column(log.column_names.index(column), column, pa.array(values))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.drop(["scores"]), "no column scores"),
        (lambda t: _with("model_id", "bundle:other", t), "one model at a time"),
        (lambda t: _with("scores", [0.5, 0.5], t), "1 of 80 predictions do not have 5 scores"),
        (lambda t: _with("scores", None, t), "do not have 5 scores"),
        (lambda t: _with("scores", [float("nan")] * 5, t), "img:000300000005"),
        (lambda t: _with("scores", [3.0, -2.0, 0.0, 0.0, 0.0], t), "no softmax"),
        (lambda t: _with("predicted", "zebra", t), "does not know"),
        (lambda t: _with("predicted", None, t), "does not know"),
    ],
)
def test_bad_logs_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        watch(change(traffic(3, 10)), GOOD)


def test_another_class_list_is_refused():
    with pytest.raises(ValueError, match="scores"):
        watch(traffic(3, 10, classes=CLASSES[:4]), GOOD)


def test_small_and_empty_references_are_refused():
    need = WatchPolicy().needed_clips
    few = reference(traffic(4, need - 1), model_id=MODEL, classes=CLASSES)
    with pytest.raises(ValueError, match=f"has {need - 1} clips; this policy needs {need}"):
        watch(traffic(5, 20), few)
    with pytest.raises(ValueError, match="at least one clip"):
        reference(traffic(4, 3).slice(0, 0), model_id=MODEL, classes=CLASSES)


def test_an_empty_log_says_nothing():
    seen = watch(traffic(3, 2).slice(0, 0), GOOD)
    assert (seen.windows, seen.alerts, seen.clips, seen.paged) == ((), (), 0, False)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0},
        {"alpha": 0.3},
        {"window_clips": ()},
        {"window_clips": (16, 8)},
        {"window_clips": (2, 8)},
        {"every_clips": 0},
        {"idle_frames": 0},
        {"top_score_weight": 1},
    ],
)
def test_senseless_policies_are_refused(change):
    with pytest.raises(ValueError, match="does not hold"):
        WatchPolicy(**change)


def test_a_reference_survives_json_to_the_last_digit():
    again = Reference.from_json(GOOD.to_json())
    assert again == GOOD and (again.rows == GOOD.rows).all()
    assert watch(snowfall(), again) == watch(snowfall(), GOOD)


def test_a_watch_is_json():
    seen = watch(snowfall(), GOOD)
    assert Watch.from_json(seen.to_json()) == seen and seen.windows[-1].findings
    d = json.loads(watch(snowfall(), GOOD).to_json())
    assert d["paged_at_frame"] == d["alerts"][-1]["at_frame"] and d["windows"][0]["index"] == 1


def test_a_large_reference_is_thinned_whatever_the_order():
    table = traffic(6, 60)
    kept = reference(table, model_id=MODEL, classes=CLASSES, max_clips=40)
    mixed = table.take(np.arange(480).reshape(60, 8)[::-1].ravel())
    other = reference(mixed, model_id=MODEL, classes=CLASSES, max_clips=40)
    assert kept.clips["clip"].to_pylist() == other.clips["clip"].to_pylist()
    assert len(kept.clips) == 40


# Paging


@contextmanager
def receiver(answers=()):
    "A webhook that gives these status codes in turn, then 204; yields its URL and what it got."
    got, answers = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.append((self.headers["Idempotency-Key"], body))
            code = answers.pop(0) if answers else 204
            if code == "slow":
                time.sleep(0.6)
            self.send_response(204 if code == "slow" else code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://user:word@127.0.0.1:{server.server_port}/T0/secret?token=abc", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ALERT = Alert(
    "page", 624, "drive-7", "top_score", None, 0.97, 0.85, 2e-6, 3e-5, MODEL, "Page: it snows."
)
FAST = {"deployment": "staging", "waits_s": (0.01, 0.01), "timeout_s": 0.3}


def test_a_page_arrives_once_and_is_recorded(ws):
    with receiver() as (url, got):
        first = page(ws, ALERT, webhook=url, by="monitor", **FAST)
        assert page(ws, ALERT, webhook=url, by="somebody", **FAST) == first
    ((key, body),) = got
    assert key == ALERT.id == body["id"] and body["sentence"] == ALERT.sentence
    assert body["deployment"] == "staging" and first.facts["delivered"]
    assert first.by == "monitor" and first.outputs == (ALERT.id,) and MODEL in first.inputs


def test_another_alert_and_another_deployment_are_pages_of_their_own(ws):
    with receiver() as (url, got):
        page(ws, ALERT, webhook=url, **FAST)
        page(ws, replace(ALERT, at_frame=700), webhook=url, **FAST)
        page(ws, ALERT, webhook=url, **FAST | {"deployment": "production"})
    assert len(got) == 3


@pytest.mark.parametrize("answers", [[503], [500, 429], ["slow"]])
def test_a_webhook_with_a_bad_moment_is_tried_again(ws, answers):
    with receiver(answers) as (url, got):
        act = page(ws, ALERT, webhook=url, **FAST)
    assert act.facts["attempts"] == len(answers) + 1 == len(got)


@pytest.mark.parametrize("answers, posts", [([404], 1), ([302], 1), ([503] * 3, 3)])
def test_a_webhook_that_refuses_is_recorded_and_named_without_its_secrets(ws, answers, posts):
    with receiver(answers) as (url, got):
        with pytest.raises(
            MonitorError, match=r"http://127\.0\.0\.1:\d+ did not take .*HTTP"
        ) as err:
            page(ws, ALERT, webhook=url, **FAST)
        assert len(got) == posts
        (failed,) = acts(ws, verb="page")
        assert not failed.facts["delivered"]
        assert page(ws, ALERT, webhook=url, **FAST).facts["delivered"]  # and it can be mended
    kept = json.dumps([act.facts for act in acts(ws)]) + str(err.value)
    assert not any(word in kept for word in ("secret", "token", "abc", "user", "word"))


def test_nobody_listens(ws):
    with receiver() as (url, _):
        pass
    with pytest.raises(MonitorError, match="undelivered"):
        page(ws, ALERT, webhook=url, **FAST)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/x", "nonsense"])
def test_a_webhook_is_http(ws, url):
    with pytest.raises(MonitorError, match="not an http"):
        page(ws, ALERT, webhook=url, **FAST)
    assert acts(ws) == ()


def test_without_a_webhook_the_ledger_is_told(ws):
    act = page(ws, ALERT, deployment="staging")
    assert act.facts["webhook"] is None and act.facts["delivered"]
    assert page(ws, ALERT, deployment="staging") == act


def test_the_webhook_of_the_settings_is_used(ws):
    with receiver() as (url, got):
        page(replace(ws, settings={"webhook_url": url}), ALERT, **FAST)
    assert len(got) == 1


def test_a_kill_between_post_and_record_pages_again_under_the_same_key(ws, monkeypatch):
    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    with receiver() as (url, got):
        with monkeypatch.context() as patch:
            patch.setattr(paging, "record_unless", killed)
            with pytest.raises(KeyboardInterrupt):
                page(ws, ALERT, webhook=url, **FAST)
        assert page(ws, ALERT, webhook=url, **FAST).facts["delivered"]
    assert [key for key, _ in got] == [ALERT.id, ALERT.id]


def test_acknowledging(ws):
    with pytest.raises(MonitorError, match="not an alert"):
        acknowledge(ws, ALERT.id, by="ada")
    page(ws, ALERT, deployment="staging")
    act = acknowledge(ws, ALERT.id, by="ada", comment="Snow.")
    assert acknowledge(ws, ALERT.id, by="ada", comment="Snow.") == act
    assert (act.verb, act.by, act.facts["comment"]) == ("acknowledge", "ada", "Snow.")
    acknowledge(ws, ALERT.id, by="ben", comment="Me too.")
    assert len(acts(ws, verb="acknowledge")) == 2


def test_a_ticket_wakes_nobody(ws):
    with receiver() as (url, got):
        act = page(ws, replace(ALERT, level="ticket"), webhook=url, **FAST)
    assert not got and act.verb == "ticket"


def test_monitoring_again_tells_only_what_is_new(ws):
    log = snowfall()
    with receiver() as (url, got):
        quiet = monitor(ws, log.slice(0, 320), GOOD, deployment="staging", webhook=url)
        assert not quiet.alerts and not got
        for _ in range(2):
            seen = monitor(ws, log, GOOD, deployment="staging", webhook=url)
    assert seen.paged and len(got) == 1
    assert [act.verb for act in acts(ws)] == [alert.level for alert in seen.alerts]

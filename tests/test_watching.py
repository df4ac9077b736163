"Following a run: the state is the same from any line on, in any process, and it ends when the run does."

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from notebooks import EMIT, write

from mlops_nb.pipeline import (
    Output,
    Step,
    StepFailed,
    events,
    progress_of,
    resume,
    run,
    runs,
    watch,
)
from mlops_nb.pipeline.watching import headline, line_of

COMMAND = Path(sys.executable).with_name("mlops-nb")


def chain(folder: Path, judging: str) -> list[Step]:
    train = write(folder / "train.ipynb", "epochs: int = 5", EMIT + "emit(score=epochs / 10)")
    judge = write(folder / "judge.ipynb", "score: float", judging)
    use = write(folder / "use.ipynb", "good: bool", "good")
    return [
        Step("train", train),
        Step("judge", judge, {"score": Output("train", "score")}, retries=1, backoff_s=0.1),
        Step("use", use, {"good": Output("judge", "good")}),
    ]


def test_a_state_and_the_lines_after_it_are_all_of_the_lines(ws, tmp_path):
    with pytest.raises(StepFailed) as caught:
        run(ws, chain(tmp_path, "1 / 0"), by="ann")
    first = caught.value.run
    chain(tmp_path, EMIT + "emit(good=True)")
    second = resume(ws, first.id, by="bob")
    for done in (first, second):
        happened = list(events(ws, done.id))
        whole = progress_of(happened)
        for at in range(len(happened) + 1):
            snapshot = progress_of(happened[:at])
            assert snapshot.lines == at and progress_of(happened[at:], snapshot) == whole
        assert {s.name: s.status for s in done.steps} == {
            s.name: s.status for s in whole.steps.values()
        }
        assert (whole.run, whole.status, whole.by, whole.parent) == (
            done.id, done.status, done.by, done.parent,
        )  # fmt: skip
    failed = progress_of(events(ws, first.id))
    assert failed.steps["judge"].tries == 1 and "ZeroDivisionError" in failed.steps["judge"].error
    assert failed.steps["use"].uses == ("judge",) and failed.steps["use"].status == "not_run"
    assert f"resume of {first.id[:16]}" in headline(whole, whole.ended_at)
    assert f"as {first.id[:16]} made it" in line_of(whole.steps["train"], whole.ended_at)


def test_events_of_a_kind_nobody_knows_yet_change_nothing_but_the_count():
    state = progress_of([{"event": "snapshot", "step": "train", "bytes": 3}])
    assert state == progress_of([]).__class__(lines=1)


WAIT = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.05)\n"


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_another_process_watches_until_the_end(ws, tmp_path, terminal):
    steps = chain(tmp_path, WAIT + EMIT + "emit(good=True)")
    runner = threading.Thread(target=run, args=(ws, steps), kwargs={"by": "ann"}, daemon=True)
    runner.start()
    while not runs(ws) or runs(ws)[0]["judge"].status != "running":
        assert runner.is_alive()
        time.sleep(0.05)
    ours, theirs = os.openpty() if terminal else os.pipe()
    command = [COMMAND, "--workspace", str(ws.root), "watch"]
    environ = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.STDOUT, env=environ) as watcher:
        os.close(theirs)
        said = b""
        while b"cell 3 of 3" not in said and (more := os.read(ours, 4096)):
            said += more
        (tmp_path / "go").touch()
        while more := read(ours):
            said += more
        assert watcher.wait(timeout=60) == 0
    runner.join()
    text = said.decode()
    assert "judge" in text and "cell 3 of 3" in text
    assert "ran, 3 of 3 steps" in text and ", ann" in text
    assert ("├──" in text) == terminal


def read(ours: int) -> bytes:
    try:
        return os.read(ours, 4096)
    except OSError:  # how a terminal ends
        return b""


def test_watching_ends_with_a_runner_that_was_killed(ws, tmp_path):
    done = run(ws, chain(tmp_path, EMIT + "emit(good=True)"))
    folder = ws.path("runs", done.id.removeprefix("run:"))
    state = json.loads((folder / "run.json").read_text())
    state |= {"status": "running", "ended_at": None, "process": [state["process"][0], 2**30]}
    state["steps"][2]["status"] = "running"
    (folder / "run.json").write_text(json.dumps(state))
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[:-2]) + lines[-2][:20])
    *_, last = watch(ws)
    assert last.status == "failed" and last.steps["use"].error == "the runner was killed"
    assert last.lines == len(lines) - 2 and last.ended_at


def test_half_a_line_is_read_when_it_is_whole(ws, tmp_path):
    done = run(ws, chain(tmp_path, EMIT + "emit(good=True)"))
    path = ws.path("runs", done.id.removeprefix("run:"), "events.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:20])
    state = json.loads(path.with_name("run.json").read_text())
    path.with_name("run.json").write_text(
        json.dumps(state | {"status": "running", "process": ["elsewhere", 1]})
    )
    states = watch(ws, done.id[:10], every_s=0.01)
    assert next(states).status == "running"
    with path.open("a") as out:
        out.write(lines[-1][20:])
    assert [one.status for one in states] == ["ran"]

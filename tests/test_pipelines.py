"Plans: what would run and why, side by side, tried again, stopped, held to a share of the machine."

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from notebooks import EMIT, write

from mlops_nb.ledger import acts
from mlops_nb.pipeline import Output, Step, StepFailed, Stop, plan, run
from mlops_nb.workspace import PipelineError


def chain(folder: Path, **given) -> list[Step]:
    train = write(folder / "train.ipynb", "epochs: int = 5", EMIT + "emit(score=epochs / 10)")
    judge = write(folder / "judge.ipynb", "score: float", EMIT + "emit(good=score > 0.4)")
    return [Step("train", train, given), Step("judge", judge, {"score": Output("train", "score")})]


def said(planned) -> list[tuple[str, str]]:
    return [(one.status, one.why) for one in planned]


def test_a_plan_says_what_would_run_and_why_and_runs_nothing(ws, tmp_path):
    steps = chain(tmp_path)
    assert said(plan(ws, steps)) == [
        ("run", "it never ran"),
        ("waits", "for what train will emit"),
    ]
    assert not acts(ws, verb="run")
    run(ws, steps)
    unchanged = "nothing it depends on has changed"
    assert said(plan(ws, steps)) == [("cached", unchanged)] * 2
    assert said(plan(ws, chain(tmp_path, epochs=8)))[0] == ("run", "parameter epochs: 5 -> 8")


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda f: write(f / "judge.ipynb", "score: float", EMIT + "emit(good=score > 1)"), "code cell 2"),
        (lambda f: (f / "tool.py").write_text("x = 2"), "module tool.py"),
    ],
)  # fmt: skip
def test_why_names_the_part_that_changed(ws, tmp_path, change, why):
    (tmp_path / "tool.py").write_text("x = 1")
    steps = chain(tmp_path)
    write(
        tmp_path / "judge.ipynb", "score: float", "import tool\n" + EMIT + "emit(good=score > 0.4)"
    )
    run(ws, steps)
    change(tmp_path)
    assert why in said(plan(ws, steps))[1][1]


def test_a_result_that_was_cleared_away_is_said_to_be_missing(ws, tmp_path):
    steps = chain(tmp_path)
    run(ws, steps)
    for entry in ws.path("cache").glob("*.json"):
        entry.unlink()
    assert said(plan(ws, steps))[0] == ("run", "its result is not in the cache any more")
    assert [step.status for step in run(ws, steps).steps] == ["ran", "ran"]


BUSY = """
import os, time
from pathlib import Path
Path(mark).write_text(str(time.time()))
time.sleep(2)
"""


def branches(folder: Path, **options) -> list[Step]:
    end = (
        EMIT
        + "emit(span=[float(open(mark).read()), time.time()], threads=os.environ.get('OMP_NUM_THREADS'))"
    )
    notebook = write(folder / "busy.ipynb", "mark: str", BUSY, end)
    return [Step(n, notebook, {"mark": str(folder / n)}, **options) for n in ("left", "right")]


def overlap(done) -> bool:
    spans = [step.outputs["span"] for step in done.steps]
    return max(start for start, _ in spans) < min(end for _, end in spans)


def test_branches_that_name_their_cores_run_side_by_side(ws, tmp_path):
    done = run(ws, branches(tmp_path, cpus=1), cpus=2)
    assert overlap(done) and [s.outputs["threads"] for s in done.steps] == ["1", "1"]


@pytest.mark.parametrize("options", [{}, {"cpus": 2}], ids=["all of it", "two of two"])
def test_branches_that_need_the_machine_take_turns(ws, tmp_path, options):
    assert not overlap(run(ws, branches(tmp_path, **options), cpus=2))


def test_more_gpus_than_there_are_is_said_before_anything_runs(ws, tmp_path):
    with pytest.raises(PipelineError, match="left, right asks for more GPUs than the 0"):
        run(ws, branches(tmp_path, gpus=1), gpus=0)
    assert not acts(ws, verb="run")


def test_gpus_are_shared_out_by_number(ws, tmp_path):
    code = EMIT + "import os, time\nemit(seen=os.environ['CUDA_VISIBLE_DEVICES'])\ntime.sleep(2)"
    notebook = write(tmp_path / "gpu.ipynb", "n: int", code)
    steps = [Step(f"s{n}", notebook, {"n": n}, cpus=1, gpus=1) for n in range(2)]
    done = run(ws, steps, cpus=2, gpus=2)
    assert sorted(step.outputs["seen"] for step in done.steps) == ["0", "1"]


def test_a_step_is_tried_again_with_growing_pauses(ws, tmp_path):
    code = """
from pathlib import Path
from mlops_nb.pipeline import emit
tries = Path(mark)
n = int(tries.read_text()) + 1 if tries.exists() else 1
tries.write_text(str(n))
assert n > 2, 'not yet'
emit(n=n)
"""
    notebook = write(tmp_path / "weak.ipynb", "mark: str", code)
    step = Step("weak", notebook, {"mark": str(tmp_path / "mark")}, retries=2, backoff_s=0.2)
    began = time.monotonic()
    assert run(ws, [step])["weak"].outputs == {"n": 3}
    assert time.monotonic() - began > 0.2 + 0.4
    assert [act.facts["status"] for act in acts(ws, verb="run")] == ["failed", "failed", "ran"]


def test_a_failure_lets_the_branch_beside_it_end_and_starts_nothing_more(ws, tmp_path):
    _, right = branches(tmp_path, cpus=1)
    wrong = Step("left", write(tmp_path / "wrong.ipynb", "n: int = 1", "1 / 0"), cpus=1)
    after = Step(
        "after", write(tmp_path / "after.ipynb", "x: list", "x"), {"x": Output("right", "span")}
    )
    with pytest.raises(StepFailed, match="ZeroDivisionError") as caught:
        run(ws, [wrong, right, after], cpus=2)
    assert [step.status for step in caught.value.run.steps] == ["failed", "ran", "not_run"]


def test_a_stop_ends_what_runs_and_a_second_run_goes_on(ws, tmp_path):
    first = chain(tmp_path)[0]
    slow = write(
        tmp_path / "slow.ipynb", "score: float", "import time\nif score < 9: time.sleep(300)"
    )
    steps, stop = [first, Step("slow", slow, {"score": Output("train", "score")})], Stop(grace_s=1)

    def ask(step, cells, total) -> None:
        if step.name == "slow" and step.status == "running":
            threading.Timer(0.5, stop.ask, ["ann"]).start()

    with pytest.raises(StepFailed, match="stopped by ann") as caught:
        run(ws, steps, stop=stop, progress=ask)
    assert [step.status for step in caught.value.run.steps] == ["ran", "failed"]
    write(tmp_path / "slow.ipynb", "score: float", "score")
    assert [step.status for step in run(ws, steps).steps] == ["cached", "ran"]


def test_a_step_has_a_time_limit_and_secrets(ws, tmp_path, monkeypatch):
    monkeypatch.setenv("FLEET_PIN", "4711-0815")
    notebook = write(
        tmp_path / "s.ipynb", "n: int = 1", "import os; print(os.environ['FLEET_PIN'])"
    )
    shown = Path(run(ws, [Step("s", notebook, secrets=("FLEET_PIN",))])["s"].notebook).read_text()
    assert "4711" not in shown and "[secret FLEET_PIN]" in shown
    slow = write(tmp_path / "t.ipynb", "n: int = 1", "import time; time.sleep(60)")
    with pytest.raises(StepFailed, match="not done within 1 s"):
        run(ws, [Step("t", slow, timeout_s=1)])


def test_two_runs_of_the_same_plan_at_once_both_end_well(ws, tmp_path):
    steps, done = chain(tmp_path), []
    threads = [threading.Thread(target=lambda: done.append(run(ws, steps))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["judge"].outputs for one in done] == [{"good": True}] * 2
    assert os.listdir(ws.path("cache", "last")) != []


def test_a_plan_in_a_file_is_planned_and_run_from_a_terminal(ws, tmp_path):
    chain(tmp_path)
    (tmp_path / "pipeline.py").write_text(
        "from mlops_nb.pipeline import Output, Step\n"
        "steps = [Step('train', 'train.ipynb', {'epochs': 6}),\n"
        "         Step('judge', 'judge.ipynb', {'score': Output('train', 'score')})]\n"
    )

    def tell(*words: str, code: int = 0) -> str:
        command = Path(sys.executable).with_name("mlops-nb")
        asked = [command, "--workspace", str(ws.root), *words]
        done = subprocess.run(asked, capture_output=True, text=True, cwd=ws.root, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    file = str(tmp_path / "pipeline.py")
    assert "it never ran" in tell("plan", file) and "waits" in tell("plan", file)
    assert "good = True" in tell("run", file, "--cpus", "1")
    assert tell("plan", file).count("cached") == 2
    assert "no plan at" in tell("plan", "nowhere.py", code=1)
    (tmp_path / "empty.py").write_text("steps = 3")
    assert "called `steps`" in tell("run", str(tmp_path / "empty.py"), code=1)

"A run once more: resumed, forked, cancelled, and ended on a bad day without leaving anything behind."

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from notebooks import EMIT, write

from mlops_nb.kernels import ask
from mlops_nb.ledger import acts
from mlops_nb.pipeline import Output, Step, StepFailed, cancel, fork, load_run, resume, run, runs
from mlops_nb.pipeline.again import _restored
from mlops_nb.workspace import PipelineError, put_blob


def chain(folder: Path, judging: str = "emit(good=score > 0.4)") -> list[Step]:
    train = write(
        folder / "train.ipynb", "epochs: int = 5\nseed: int = 0", EMIT + "emit(score=epochs / 10)"
    )
    judge = write(folder / "judge.ipynb", "score: float\nseed: int = 0", EMIT + judging)
    return [Step("train", train), Step("judge", judge, {"score": Output("train", "score")})]


def failed(ws, steps) -> str:
    with pytest.raises(StepFailed) as caught:
        run(ws, steps)
    return caught.value.run.id


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def statuses(done) -> list[str]:
    return [step.status for step in done.steps]


def test_resume_goes_on_from_the_failed_step_and_the_ledger_knows(ws, tmp_path):
    first = failed(ws, chain(tmp_path, "1 / 0"))
    chain(tmp_path)
    second = resume(ws, first, by="ann")
    assert statuses(second) == ["cached", "ran"] and second["train"].of == first
    assert (second.kind, second.parent, second.by) == ("resume", first, "ann")
    act = acts(ws, verb="pipeline")[-1]
    assert (act.by, act.facts["kind"], act.facts["parent"]) == ("ann", "resume", first)
    assert load_run(ws, second.id) == second


def test_what_ended_well_is_repeated_if_it_is_no_longer_true(ws, tmp_path):
    first = failed(ws, chain(tmp_path, "1 / 0"))
    chain(tmp_path)
    write(tmp_path / "train.ipynb", "epochs: int = 5\nseed: int = 0", EMIT + "emit(score=0.1)")
    second = resume(ws, first)
    assert statuses(second) == ["ran", "ran"] and second["judge"].outputs == {"good": False}


def test_what_cannot_be_resumed_says_why(ws, tmp_path):
    first = failed(ws, chain(tmp_path, "1 / 0"))
    (tmp_path / "judge.ipynb").unlink()
    with pytest.raises(PipelineError, match=r'judge.ipynb is not there any more.*code="then"'):
        resume(ws, first)
    whole = run(ws, chain(tmp_path))
    with pytest.raises(PipelineError, match="ended well, and there is nothing to resume"):
        resume(ws, whole.id)
    with pytest.raises(PipelineError, match="has ended already: ran"):
        cancel(ws, whole.id)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"seed": 1}, r"'seed' could be train\.seed, judge\.seed"),
        ({"epoch": 1}, "'epoch' is no parameter.*mean `epochs`"),
        ({"trian.epochs": 1}, "'trian.epochs' names no step.*mean `train`"),
        ({"judge.epochs": 1}, "'judge.epochs' is no parameter; known: score, seed"),
        ({"epochs": "many"}, "train: `epochs` is 'many' .str., and must be int"),
        ({"epochs": "many", "seed": 1}, "2 of the changes"),
    ],
)
def test_a_fork_refuses_changes_that_do_not_fit_before_anything_runs(ws, tmp_path, changes, said):
    first = run(ws, chain(tmp_path))
    known = len(acts(ws))
    with pytest.raises(PipelineError, match=said):
        fork(ws, first.id, changes)
    assert len(acts(ws)) == known and len(runs(ws)) == 1


def test_a_fork_repeats_what_depends_on_the_change(ws, tmp_path):
    first = run(ws, chain(tmp_path))
    assert statuses(fork(ws, first.id, {"judge.seed": 3})) == ["cached", "ran"]
    second = fork(ws, first.id, epochs=3)
    assert second["judge"].outputs == {"good": False} and second.parent == first.id
    assert fork(ws, second.id, score=0.9)["judge"].outputs == {"good": True}  # a wire is replaced


TOOL = "import tool\n" + EMIT + "emit(good=score > tool.LIMIT)"


@pytest.mark.parametrize("change", ["notebook", "module", "gone"])
def test_a_fork_takes_the_code_of_its_run_or_asks(ws, tmp_path, change):
    (tmp_path / "tool.py").write_text("LIMIT = 0.4")
    steps = chain(tmp_path)
    judge = write(tmp_path / "judge.ipynb", "score: float\nseed: int = 0", TOOL)
    first = run(ws, steps)
    if change == "notebook":
        write(judge, "score: float\nseed: int = 0", EMIT + "emit(good='new')")
    elif change == "module":
        (tmp_path / "tool.py").write_text("LIMIT = 9")
    else:
        judge.unlink()
    said = {"notebook": "notebook has", "module": "tool.py has", "gone": "notebook is gone"}[change]
    with pytest.raises(PipelineError, match=rf"judge: (the )?{said}.*\"then\".*\"now\""):
        fork(ws, first.id, epochs=6)
    then = fork(ws, first.id, epochs=6, code="then")
    assert then["judge"].outputs == {"good": True}
    (kept,) = ws.path("runs").glob("*/code/judge/tool.py")  # what did not change is used in place
    assert kept.read_text() == "LIMIT = 0.4" and not list(ws.path("runs").glob("*/code/train"))
    if change == "gone":
        with pytest.raises(PipelineError, match="There is no notebook at"):
            fork(ws, first.id, epochs=7, code="now")
    else:
        now = {"notebook": "new", "module": False}[change]
        assert fork(ws, first.id, epochs=7, code="now")["judge"].outputs == {"good": now}


def test_a_notebook_that_is_gone_and_never_ran_cannot_be_forked(ws, tmp_path):
    steps = chain(tmp_path)
    write(tmp_path / "train.ipynb", "epochs: int = 5", "1 / 0")
    first = failed(ws, steps)
    (tmp_path / "judge.ipynb").unlink()
    with pytest.raises(PipelineError, match=r"judge.*is gone, and it never ran in that run"):
        fork(ws, first, epochs=6, code="then")


def test_a_restored_notebook_reads_the_files_its_run_read(ws, tmp_path):
    (tmp_path / "limit.txt").write_text("0.4")
    declared = "from pathlib import Path\nfile: Path\nn: int = 0"
    read = write(tmp_path / "read.ipynb", declared, EMIT + "emit(limit=file.read_text())")
    first = run(ws, [Step("read", read, {"file": "limit.txt"})])
    write(read, declared, "1")
    assert fork(ws, first.id, n=1, code="then")["read"].outputs == {"limit": "0.4"}


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "a/../../out.py"])
def test_code_on_record_stays_in_its_folder(ws, tmp_path, name):
    notebook = write(tmp_path / "n.ipynb", "n: int = 1", "n")
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as packed:
        packed.writestr(name, "x = 1")
    then = {"path": str(notebook), "source": put_blob(ws, notebook.read_bytes())}
    then["code"] = put_blob(ws, (tmp_path / "code.zip").read_bytes())
    with pytest.raises(PipelineError, match="would lie outside"):
        _restored(ws, Step("n", notebook), then, tmp_path / "new" / "code")
    assert not list(tmp_path.rglob("out.py")) and not Path("/out.py").exists()


SLOW = """
import os, time
from pathlib import Path
if not Path("mended").exists():
    Path("begun").write_text(str(os.getpid()))
    time.sleep(300)
"""
PLAN = """
from mlops_nb.pipeline import Output, Step
steps = [Step("train", "train.ipynb"), Step("judge", "judge.ipynb", {"score": Output("train", "score")})]
"""


@pytest.fixture
def runner(ws, tmp_path):
    "A run of two steps in another process, and the kernel that its second step is in for 300 s."
    chain(tmp_path)
    write(tmp_path / "judge.ipynb", "score: float", SLOW, EMIT + "emit(good=score > 0.4)")
    (tmp_path / "plan.py").write_text(PLAN)
    command = [Path(sys.executable).with_name("mlops-nb"), "--workspace", str(ws.root)]
    with subprocess.Popen(
        [*command, "run", "plan.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as process:
        until = time.monotonic() + 120
        while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
            assert process.poll() is None and time.monotonic() < until, process.stderr.read()
            time.sleep(0.05)
        yield process, int((tmp_path / "begun").read_text())
        process.kill()


def goes_on(ws, tmp_path, first) -> None:
    (tmp_path / "mended").touch()
    second = resume(ws, first.id)
    assert statuses(second) == ["cached", "ran"] and second["judge"].outputs == {"good": True}


def test_somebody_else_cancels_a_run_from_another_process(ws, tmp_path, runner):
    process, kernel = runner
    (going,) = runs(ws)
    assert going.status == "running"
    with pytest.raises(PipelineError, match=f"still goes on, in process {process.pid}"):
        resume(ws, going.id)
    ended = cancel(ws, going.id, by="bob")
    assert not alive(kernel)
    assert (ended.status, ended.stopped_by, ended.by) == ("stopped", "bob", going.by)
    assert statuses(ended) == ["ran", "failed"] and ended["judge"].error.endswith("stopped by bob")
    assert process.wait(timeout=30) == 1 and "stopped by bob" in process.stderr.read()
    act = acts(ws, verb="pipeline")[-1]
    assert (act.facts["status"], act.facts["stopped_by"]) == ("stopped", "bob")
    goes_on(ws, tmp_path, ended)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_runner_that_is_ended_leaves_no_kernel_and_its_run_can_be_resumed(
    ws, tmp_path, runner, signum
):
    process, kernel = runner
    process.send_signal(signum)
    if signum == signal.SIGKILL:  # nobody has waited for it yet: it is there, and dead
        until = time.monotonic() + 5
        while (alive(kernel) or alive(process.pid)) and time.monotonic() < until:
            time.sleep(0.05)
    else:
        process.wait(timeout=60)
    assert not alive(kernel)
    (first,) = runs(ws)
    by = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C", signal.SIGKILL: ""}[signum]
    assert first.stopped_by == by and first.status == ("stopped" if by else "failed")
    assert statuses(first) == ["ran", "failed"]
    assert (f"stopped by {by}" if by else "the runner was killed") in first["judge"].error
    goes_on(ws, tmp_path, first)


def test_a_number_that_another_process_has_now_is_no_runner(ws, tmp_path):
    first = run(ws, chain(tmp_path))
    path = ws.path("runs", first.id.removeprefix("run:"), "run.json")
    state = json.loads(path.read_text()) | {"status": "running"}
    path.write_text(json.dumps(state))
    assert load_run(ws, first.id).status == "running"
    path.write_text(json.dumps(state | {"began_at": "2020-01-01T00:00:00.000+00:00"}))
    assert load_run(ws, first.id).status == "failed"


def test_a_run_outlives_the_process_its_kernels_were_forked_from(ws, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("MLOPS_NB_KERNEL_MODULES", "ipykernel.kernelapp")
    monkeypatch.setenv("MLOPS_NB_KERNEL_IDLE_S", "1")
    waiting = "import os, time\nopen('begun', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.05)\n"
    steps = chain(tmp_path)
    write(tmp_path / "train.ipynb", "epochs: int = 5", waiting + EMIT + "emit(score=0.5)")
    done = []
    thread = threading.Thread(target=lambda: done.append(run(ws, steps)))
    thread.start()
    until = time.monotonic() + 120
    while not (tmp_path / "begun").exists():
        assert thread.is_alive() and time.monotonic() < until
        time.sleep(0.05)
    template = ask()["pid"]
    os.kill(template, signal.SIGKILL)
    while alive(template):
        time.sleep(0.01)
    (tmp_path / "go").touch()
    thread.join(timeout=120)
    assert statuses(done[0]) == ["ran", "ran"] and ask()["pid"] != template


def test_the_terminal_lists_forks_resumes_and_cancels_by_the_beginning_of_an_id(ws, tmp_path):
    first = failed(ws, chain(tmp_path, "1 / 0"))

    def tell(*words: str, code: int = 0) -> str:
        command = [Path(sys.executable).with_name("mlops-nb"), "--workspace", str(ws.root)]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    chain(tmp_path)
    assert "good = True" in tell("resume", first[4:12])
    assert f"fork of {first[:16]}" in tell(
        "fork-run", first[:12], "-p", "epochs=3", "--code", "now"
    )
    assert "'seed' could be train.seed, judge.seed" in tell(
        "fork-run", first, "-p", "seed=3", "--code", "now", code=1
    )
    listed = tell("runs").splitlines()
    assert ["fork of" in listed[1], "resume of" in listed[2], "failed" in listed[3]] == [True] * 3
    assert "has ended already: failed" in tell("cancel", first, code=1)
    assert "is none" in tell("resume", "abc-no-run", code=1)

"Jobs: long work that outlives whoever began it."

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from notebooks import EMIT, write

from mlops_nb.data import fork, ingest, resolve
from mlops_nb.images.pixels import encode
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.jobs import Job, jobs, load_job, log_of, start, stop_job, watch_job
from mlops_nb.ledger import acts
from mlops_nb.pipeline import cancel, load_run
from mlops_nb.workspace import PipelineError, Workspace


def ended(ws, job: Job) -> Job:
    *_, last = watch_job(ws, job.id)
    return last


def until(ws, job: Job, true) -> Job:
    "The job, once this is so."
    for state in watch_job(ws, job.id):
        if true(state):
            return state
    raise AssertionError(f"it ended first: {state}")


def test_a_data_set_is_validated_in_a_process_of_its_own(ws, tmp_path):
    photos = tmp_path / "photos" / "stop"
    photos.mkdir(parents=True)
    for n in range(5):
        picture = np.random.default_rng(n).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        (photos / f"{n}.png").write_bytes(encode(picture))
    ingest(ws, photos.parent, "signs")
    job = ended(ws, start(ws, "validate", {"ref": "signs"}, by="ann"))
    assert (job.status, job.done, job.total, job.error) == ("done", 5, 5, None)
    assert job.result["digest"] == resolve(ws, "signs").digest and job.result["checked"] == 5
    assert acts(ws, verb="validate")[-1].by == "ann" and job.process[1] != os.getpid()
    assert jobs(ws) == (job,) and job.began_at < job.ended_at


def test_a_folder_becomes_a_data_set_that_is_divided_forked_and_merged(ws, tmp_path):
    write_crops(tmp_path / "town", drives(3, 20))
    write_crops(tmp_path / "snow", drives(4, 5, weather="snow"))
    job = ended(
        ws, start(ws, "ingest", {"folder": "town", "name": "signs"}, by="ann", folder=tmp_path)
    )
    assert job.status == "done" and job.result["ref"] == "signs@1", job.error
    assert job.done >= job.result["added"] > 20 and f"{job.result['added']} added" in job.said
    shares = {"train": 0.5, "val": 0.1, "test": 0.4}
    job = ended(ws, start(ws, "split", {"name": "signs", **shares}, by="ann"))
    assert sum(job.result["samples"].values()) == job.result["moved"] and job.said.startswith(
        "train"
    )
    fork(ws, "signs", "ben/snow", by="ben")
    snow = {"folder": str(tmp_path / "snow"), "name": "signs@ben/snow"}
    added = ended(ws, start(ws, "ingest", snow, by="ben")).result["added"]
    job = ended(ws, start(ws, "merge", {"ref": "signs@ben/snow", "into": "signs"}, by="ann"))
    assert (job.status, job.result["taken"]) == ("done", added) and resolve(
        ws, "signs"
    ).ref == job.result["ref"]
    assert [act.by for act in acts(ws, verb="ingest")] == ["ann", "ben"]
    job = ended(ws, start(ws, "ingest", {"folder": "nowhere", "name": "signs"}, folder=tmp_path))
    assert job.status == "failed" and "nowhere" in job.error


def test_a_notebook_is_run_and_followed_from_anywhere(ws, tmp_path):
    page = write(
        tmp_path / "area.ipynb", "side: int = 2", "print('at work')", EMIT + "emit(area=side**2)"
    )
    seen = list(watch_job(ws, start(ws, "run", {"notebook": "area.ipynb", "parameters": {"side": 3}},
                                    by="ann", folder=tmp_path).id))  # fmt: skip
    job = seen[-1]
    assert (job.status, job.error) == ("done", None)
    assert job.result["steps"]["area"]["outputs"] == {"area": 9} and job.result["run"] == job.run
    run = load_run(ws, job.run)
    assert (run.by, run.status, run.process[1]) == ("ann", "ran", job.process[1])
    assert (job.done, job.total) == (4, 4) or job.done == job.total > 0
    again = ended(ws, start(ws, "run", {"notebook": str(page), "parameters": {"side": 3}}))
    assert again.result["steps"]["area"]["status"] == "cached"


def test_what_fails_says_so_in_the_words_of_the_verb(ws, tmp_path):
    job = ended(ws, start(ws, "validate", {"ref": "signs"}))
    assert job.status == "failed" and "There is no dataset 'signs'" in job.error
    asked = {"bundle": f"bundle:{'0' * 64}", "data": "signs@v1", "policy": {"min_acuracy": 0.5}}
    job = ended(ws, start(ws, "judge", asked))
    assert job.status == "failed" and "Did you mean 'min_accuracy'" in job.error
    page = write(tmp_path / "area.ipynb", "side: int = 2", "pass")
    job = ended(ws, start(ws, "run", {"notebook": str(page), "parameters": {"sides": 3}}))
    assert job.status == "failed" and "did you mean" in job.error
    page = write(tmp_path / "sad.ipynb", "side: int = 2", "raise ValueError('no signs')")
    job = ended(ws, start(ws, "run", {"notebook": str(page)}))
    assert (
        job.status == "failed"
        and "no signs" in job.error
        and load_run(ws, job.run).status == "failed"
    )
    write(tmp_path / "sad.ipynb", "side: int = 2", "pass")
    mended = ended(ws, start(ws, "resume", {"run": job.run}, by="bob"))
    assert mended.status == "done" and load_run(ws, mended.run).parent == job.run


def test_what_cannot_work_is_refused_before_there_is_a_process(ws):
    for verb, arguments, said in (
        ("validat", {}, "did you mean `validate`"),
        ("validate", {}, "ref is missing"),
        ("validate", {"ref": "signs", "by": "eve"}, "'by' is unknown"),
        ("run", {"notebok": "x.ipynb"}, "'notebok' is unknown .did you mean `notebook`"),
    ):
        with pytest.raises(PipelineError, match=said):
            start(ws, verb, arguments)
    assert not jobs(ws)
    for name in ("job:1", "job:../../etc/passwd", f"job:{'0' * 32}"):
        with pytest.raises(PipelineError, match=r"no job"):
            load_job(ws, name)


SLOW = "import time\nfor _ in range(600): time.sleep(0.1)"


def test_it_outlives_whoever_began_it_and_somebody_else_stops_it(ws, tmp_path):
    page = write(tmp_path / "slow.ipynb", "side: int = 2", SLOW)
    code = (
        "import sys\nfrom mlops_nb.jobs import start\nfrom mlops_nb.workspace import open_workspace\n"
        "job = start(open_workspace(sys.argv[1]), 'run', {'notebook': sys.argv[2]}, by='ann')\n"
        "print(job.id, flush=True)\nimport os, signal\nos.killpg(0, signal.SIGKILL)"
    )
    began = subprocess.run([sys.executable, "-c", code, ws.root, page], capture_output=True, text=True,
                           check=False, start_new_session=True)  # fmt: skip
    assert began.returncode == -signal.SIGKILL
    job = until(ws, load_job(ws, began.stdout.strip()), lambda one: one.run and one.done)
    assert job.status == "running"
    stop_job(ws, job.id, by="bob")
    job = ended(ws, job)
    assert (job.status, job.stopped_by, job.by) == ("stopped", "bob", "ann")
    assert load_run(ws, job.run).stopped_by == "bob"
    with pytest.raises(PipelineError, match="has ended already: stopped"):
        stop_job(ws, job.id)


def test_a_job_whose_run_is_asked_to_stop_is_stopped_too(ws, tmp_path):
    page = write(tmp_path / "slow.ipynb", "side: int = 2", SLOW)
    job = until(ws, start(ws, "run", {"notebook": str(page)}), lambda one: one.run and one.done)
    cancel(ws, job.run, by="bob")
    job = ended(ws, job)
    assert (job.status, job.stopped_by) == ("stopped", "bob")


def test_a_job_that_was_killed_is_told_so(ws, tmp_path):
    page = write(tmp_path / "slow.ipynb", "side: int = 2", SLOW)
    job = until(ws, start(ws, "run", {"notebook": str(page)}), lambda one: one.run and one.done)
    os.kill(job.process[1], signal.SIGKILL)
    job = ended(ws, job)
    assert job.status == "failed" and "was killed. Begin it again" in job.error
    assert load_run(ws, job.run).status == "failed"


def test_settings_of_a_workspace_go_with_its_jobs(ws):
    "A blob_url that is set only here is the job's too, and its unusable scheme is what it fails at."
    other = Workspace(ws.root, {"ledger_url": "nonsense://nowhere"})
    job = ended(ws, start(other, "validate", {"ref": "signs"}))
    assert job.status == "failed"
    job = ended(ws, start(other, "register", {"bundle": f"bundle:{'0' * 64}", "name": "signs"}))
    assert job.status == "failed" and job.error


def test_an_error_nobody_foresaw_leaves_its_traceback_in_the_log(ws, tmp_path):
    (ws.folder("runs") / "not-a-folder").touch()
    page = write(tmp_path / "area.ipynb", "side: int = 2", "pass")
    job = ended(ws, start(ws, "run", {"notebook": str(page), "parameters": ["side"]}))
    assert job.status == "failed" and "The log of the job has the traceback" in job.error
    deadline = time.monotonic() + 10
    while "Traceback" not in log_of(ws, job.id) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "Traceback" in log_of(ws, job.id)

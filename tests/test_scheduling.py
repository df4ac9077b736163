"Pipelines that run when they are due: the same times for cron, for systemd and for the loop."

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from nbformat import v4

from mlops_nb.pipeline import runs, schedule
from mlops_nb.pipeline.scheduling import calendar_of, local_zone, next_times, only_one
from mlops_nb.workspace import PipelineError, open_workspace

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
COMMAND = Path(sys.executable).with_name("mlops-nb")


def notebook(path: Path, code: str) -> Path:
    page = v4.new_notebook(cells=[v4.new_code_cell(code)])
    page.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "expression, said",
    [
        ("0 25 * * *", "Bad hour"),
        ("0 3 * *", "Wrong number of fields"),
        ("every night", "Wrong number of fields"),
        ("0 0 30 2 *", "Bad day-of-month"),
        ("*/0 * * * *", "Bad minute"),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_an_example(expression, said):
    with pytest.raises(PipelineError, match=rf"{said}.*0 3 \* \* 1-5"):
        next_times(expression, MAY)


def test_times_are_those_of_the_machine_s_zone(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (due,) = next_times("0 3 * * *", MAY.astimezone(local_zone()), 1)
    assert due.astimezone(UTC) == datetime(2026, 5, 1, 18, tzinfo=UTC)


@pytest.mark.parametrize("night", ["2026-03-29", "2026-10-25"], ids=["spring", "autumn"])
def test_a_nightly_job_runs_once_where_the_clock_jumps(night):
    eve = datetime.fromisoformat(night).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    times = next_times("30 2 * * *", eve)
    assert [str(due.date()) for due in times].count(night) == 1


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize(
    "expression",
    ["0 3 * * 1-5", "*/20 8-10 * * *", "0 0 13 * 5", "5 4 1 */3 *", "0 12 * * 7", "0 0 */6 * 1",
     "15 0 13 * 0-6", "0 6 1-31 * mon", "59 23 31 dec *"],
)  # fmt: skip
def test_systemd_would_run_it_at_the_same_times(expression):
    found = set()
    for calendar in calendar_of(expression):
        told = subprocess.run(
            ["systemd-analyze", "calendar", "--iterations=6", "--base-time=2026-05-01 12:00:00 UTC",
             f"{calendar} UTC"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found |= set(
            re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", told.stdout.partition("elapse")[2])
        )
    assert sorted(found)[:6] == [
        f"{due:%Y-%m-%d %H:%M:%S}" for due in next_times(expression, MAY, 6)
    ]


@pytest.mark.parametrize("expression", ["0 0 L * *", "0 0 * * 1#2", "0 0 * * 5L", "0 0 LW * *"])
def test_what_only_the_loop_knows_is_not_printed_for_cron(ws, tmp_path, expression):
    assert next_times(expression, MAY)
    with pytest.raises(PipelineError, match="which cron and systemd do not know"):
        schedule(ws, expression, notebook(tmp_path / "n.ipynb", "1"))
    with pytest.raises(PipelineError, match="has seconds, which cron does not"):
        schedule(ws, "* * * * * *", tmp_path / "n.ipynb")


@pytest.mark.skipif(not shutil.which("flock"), reason="util-linux is not here")
def test_the_crontab_line_runs_the_plan_and_only_once_at_a_time(tmp_path):
    folder = tmp_path / "a folder's 50%"
    folder.mkdir()
    ws = open_workspace(folder / "workspace")
    plan = notebook(folder / "night.ipynb", "1 + 1")
    line = schedule(ws, "0 3 * * 1-5", plan).crontab
    assert line.startswith("0 3 * * 1-5 ") and not re.search(r"(?<!\\)%", line)
    line = line.removeprefix("0 3 * * 1-5 ").replace(r"\%", "%")  # as cron reads it
    with only_one(ws, plan):
        assert subprocess.run(["sh", "-c", line], check=False).returncode
        assert not runs(ws)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [one.status for one in runs(ws)] == ["ran"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_finds_no_fault_in_the_units(tmp_path):
    folder = tmp_path / 'the "50%" $folder'
    folder.mkdir()
    made = schedule(open_workspace(folder / "ws"), "0 3 * * 1-5", notebook(folder / "n.ipynb", "1"))
    (tmp_path / "night.service").write_text(made.service)
    (tmp_path / "night.timer").write_text(made.timer)
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "night.service", "night.timer"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "night" not in told.stderr, told.stderr
    command = made.service.partition("ExecStart=")[2].replace("%%", "%").replace("$$", "$")
    assert shlex.split(command)[-1] == str(folder / "n.ipynb")


DAYS = """
import os, time
from pathlib import Path
day = len(list(Path().glob('day*')))
Path(f'day{day}').write_text(str(os.getpid()))
if day == 0: raise ValueError('the loader has no frames')
if day == 1: print('a good day')
if day == 2: time.sleep(300)
"""


def test_the_loop_outlives_a_failing_run_and_ends_with_the_one_that_goes_on(ws, tmp_path):
    notebook(tmp_path / "work.ipynb", DAYS)
    (tmp_path / "night.py").write_text(
        "import glob\nfrom mlops_nb.pipeline import Step\n"
        "steps = [Step(f'work{len(glob.glob(\"day*\"))}', 'work.ipynb')]\n"
    )
    command = [
        COMMAND,
        "--workspace",
        str(ws.root),
        "schedule",
        "* * * * * *",
        "night.py",
        "--loop",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as loop:
        until = time.monotonic() + 150
        while not (tmp_path / "day1").exists():
            assert loop.poll() is None and time.monotonic() < until, loop.stdout.read()
            time.sleep(0.05)
        # the third day's code is another one, or its result would come from the cache
        notebook(tmp_path / "work.ipynb", DAYS + "\n")
        while not (tmp_path / "day2").exists() or not (tmp_path / "day2").read_text():
            assert loop.poll() is None and time.monotonic() < until, loop.stdout.read()
            time.sleep(0.05)
        held = only_one(ws, tmp_path / "night.py")
        with pytest.raises(PipelineError, match="night.py is running already"), held:
            pass
        loop.send_signal(signal.SIGTERM)
        said = loop.communicate(timeout=60)[0].splitlines()
    assert loop.returncode == 0
    assert said[0].startswith("night.py is due at")
    assert "failed: Step work0" in said[1] and "the loader has no frames" in said[1]
    assert said[2].endswith("ran: work1 ran")
    assert "stopped by SIGTERM" in said[-2] and said[-1] == "ended by SIGTERM"
    assert not Path(f"/proc/{(tmp_path / 'day2').read_text()}").exists()
    assert runs(ws)[0].status == "stopped"

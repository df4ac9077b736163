"Bad days of a notebook in a kernel: what the page says, what is left behind."

import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import papermill
import pytest
from nbformat import v4
from papermill.exceptions import PapermillExecutionError

from mlops_nb.pipeline import NotebookFailed, NotebookStopped, Stop, execute, outputs
from mlops_nb.pipeline.pages import TEXT_BYTES, Text, redact, secret_values
from mlops_nb.workspace import PipelineError, WorkspaceError, get_blob, open_workspace, put_blob

TOKEN = "ghp_" + "a1B2" * 9


def page(*cells: str, kernel: str = "python3") -> dict:
    found = v4.new_notebook(cells=[v4.new_code_cell(textwrap.dedent(one)) for one in cells])
    found.metadata.kernelspec = {"name": kernel, "language": "python", "display_name": kernel}
    return found


def run(tmp_path: Path, *cells: str, **options) -> dict:
    "The page on disk, however it ended."
    options = {"folder": tmp_path, "environ": {}} | options
    try:
        execute(page(*cells), tmp_path / "out.ipynb", **options)
    except NotebookFailed as err:
        kept = json.loads((tmp_path / "out.ipynb").read_text())
        kept["error"] = err
        return kept
    return json.loads((tmp_path / "out.ipynb").read_text())


def states(kept: dict) -> list[str]:
    return [cell["metadata"]["mlops_nb"]["status"] for cell in kept["cells"]]


def text(kept: dict, at: int = -1) -> str:
    said = kept["cells"][at]["outputs"]
    return "".join("".join(one["text"]) for one in said if one["output_type"] == "stream")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_kernel_killed_in_cell_3_of_6(tmp_path):
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    kept = run(tmp_path, "a = 1", "print('second')", kill, "4", "5", "6")
    assert states(kept) == ["ran", "ran", "failed", "not_run", "not_run", "not_run"]
    about = kept["metadata"]["mlops_nb"]
    assert about["status"] == "failed" and "SIGKILL" in about["failure"]["exception"]
    assert about["failure"]["cell"] == "cell 3"
    assert text(kept, 1) == "second\n"


def test_memory_error_is_an_exception_of_its_cell(tmp_path):
    kept = run(tmp_path, "x = bytearray(1 << 60)", "2")
    assert states(kept) == ["failed", "not_run"]
    assert "MemoryError" in kept["metadata"]["mlops_nb"]["failure"]["exception"]


@pytest.mark.parametrize("limit", ["cell_s", "notebook_s"])
def test_time_out_stops_the_whole_process_group(tmp_path, limit):
    slow = """
        import subprocess, time
        child = subprocess.Popen(["sleep", "300"])
        print(child.pid, flush=True)
        while True: time.sleep(1)
    """
    kept = run(tmp_path, slow, "2", **{limit: 3})
    assert states(kept) == ["failed", "not_run"]
    assert "not done within 3 s" in kept["metadata"]["mlops_nb"]["failure"]["exception"]
    assert not alive(int(text(kept, 0)))


RUNNER = """
import sys
from pathlib import Path
from nbformat import v4
from mlops_nb.pipeline import execute
cells = [v4.new_code_cell(one) for one in ("print('first')", sys.argv[2], "3")]
page = v4.new_notebook(cells=cells)
out = Path(sys.argv[1], "out.ipynb")
execute(page, out, folder=out.parent, environ={})
"""
SAVING = """
import os, time
from pathlib import Path
try:
    Path("begun").write_text(str(os.getpid()))
    time.sleep(300)
except KeyboardInterrupt:
    Path("weights").write_text("saved")
    raise
"""


def started(tmp_path: Path, cell: str) -> subprocess.Popen:
    command = [sys.executable, "-c", RUNNER, str(tmp_path), cell]
    runner = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 90
    while not (tmp_path / "begun").exists() or not (tmp_path / "begun").read_text():
        assert runner.poll() is None and time.monotonic() < until, runner.stderr.read()
        time.sleep(0.05)
    return runner


@pytest.mark.parametrize(
    "signum, said", [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")], ids=["INT", "TERM"]
)
def test_a_stopped_runner_lets_the_cell_save_and_says_so(tmp_path, signum, said):
    with started(tmp_path, SAVING) as runner:
        runner.send_signal(signum)
        errors = runner.communicate(timeout=60)[1]
    assert runner.returncode and ("KeyboardInterrupt" in errors or "stopped by SIGTERM" in errors)
    assert (tmp_path / "weights").read_text() == "saved"
    kept = json.loads((tmp_path / "out.ipynb").read_text())
    assert states(kept) == ["ran", "failed", "not_run"]
    about = kept["metadata"]["mlops_nb"]
    assert about["status"] == "stopped" and about["failure"]["exception"] == f"stopped by {said}"
    assert not alive(int((tmp_path / "begun").read_text()))


def test_a_cell_that_ignores_the_interrupt_is_killed_after_the_grace(tmp_path):
    deaf = """
        import os, signal
        from pathlib import Path
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Path("begun").write_text(str(os.getpid()))
        while True: pass
    """
    stop = Stop(grace_s=1.0)

    def ask() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.05)
        stop.ask("the person at the button")

    threading.Thread(target=ask).start()
    kept = run(tmp_path, deaf, stop=stop)
    assert isinstance(kept["error"], NotebookStopped)
    assert "the person at the button" in str(kept["error"])
    assert not alive(int((tmp_path / "begun").read_text()))


def test_a_killed_runner_leaves_no_kernel_and_a_whole_page(tmp_path):
    with started(tmp_path, SAVING) as runner:
        runner.kill()
        runner.communicate()
    until = time.monotonic() + 5
    while alive(pid := int((tmp_path / "begun").read_text())) and time.monotonic() < until:
        time.sleep(0.1)
    assert not alive(pid)
    kept = json.loads((tmp_path / "out.ipynb").read_text())
    assert kept["metadata"]["mlops_nb"]["status"] == "running"  # nobody was left to say more


def test_disk_full_while_saving_is_said_and_the_page_before_is_whole(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(WorkspaceError, match="Free some space"):
            execute(page("1", "'x' * 9000"), tmp_path / "out.ipynb", folder=tmp_path, environ={})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    kept = json.loads((tmp_path / "out.ipynb").read_text())
    assert kept["metadata"]["mlops_nb"]["status"] == "running"
    assert {path.name for path in tmp_path.iterdir()} <= {"out.ipynb", "out.log"}


def test_50_megabytes_of_output_leave_a_page_that_opens(tmp_path):
    ws = open_workspace(tmp_path / "ws")
    flood = "for i in range(50): print(f'{i:02d}' + 'x' * (1 << 20))"
    kept = run(tmp_path, flood, keep=lambda data: put_blob(ws, data))
    assert (tmp_path / "out.ipynb").stat().st_size < 2 * TEXT_BYTES
    said = text(kept)
    assert said.startswith("00x") and said.endswith("x\n") and "characters in all" in said
    blob = next(word.rstrip(" .]") for word in said.split() if word.startswith("blob:"))
    whole = get_blob(ws, blob).decode()
    assert len(whole) == 50 * ((1 << 20) + 3) and whole[-3:] == "xx\n" and "\n49x" in whole


def test_without_a_workspace_the_whole_output_lies_beside_the_page(tmp_path):
    run(tmp_path, "print('y' * 300_000)")
    (kept,) = (tmp_path / "out.outputs").iterdir()
    assert kept.read_text() == "y" * 300_000 + "\n"


def test_20000_flushed_prints_are_all_there(tmp_path):
    kept = run(tmp_path, "for i in range(20_000): print(i, flush=True)", "2")
    said = text(kept, 0)
    first, last = said.split("\n\n[...")[0], said.split("...]\n\n")[-1]
    assert first.startswith("0\n1\n2\n") and last.endswith("19998\n19999\n")
    whole = next((tmp_path / "out.outputs").iterdir()).read_text()
    assert whole == "".join(f"{i}\n" for i in range(20_000))


def test_3000_updates_of_a_progress_bar_are_one_line(tmp_path):
    bar = "from tqdm import tqdm\nfor _ in tqdm(range(3000), mininterval=0): pass"
    kept = run(tmp_path, bar)
    assert "100%" in text(kept) and text(kept).count("it/s") == 1


def test_a_display_that_is_updated_shows_the_last_state(tmp_path):
    code = """
        from IPython.display import display
        shown = display("0", display_id=True)
        for i in range(3000): shown.update(str(i))
    """
    (output,) = run(tmp_path, code)["cells"][0]["outputs"]
    assert "2999" in "".join(output["data"]["text/plain"])


def test_what_a_cell_clears_is_gone_and_takes_no_other_outputs_place(tmp_path):
    code = """
        from IPython.display import clear_output, display
        for i in range(50):
            print("step", i, flush=True)
            clear_output()
            display(i)
            clear_output()
        display("last")
    """
    (output,) = run(tmp_path, code)["cells"][0]["outputs"]
    assert output["output_type"] == "display_data" and "text" not in output
    assert "last" in "".join(output["data"]["text/plain"])


def test_a_notebook_that_changes_folder_and_environment_changes_nobody_elses(tmp_path):
    change = "import os; os.chdir('/'); os.environ['HOME'] = '/nowhere'; os.umask(0)"
    look = "import os; print(os.getcwd(), os.environ['HOME'], oct(os.umask(0o22)))"
    run(tmp_path, change)
    kept = run(tmp_path, look)
    mask = os.umask(0o22)
    os.umask(mask)
    assert text(kept).split() == [str(tmp_path), os.environ["HOME"], oct(mask)]
    assert os.getcwd() != "/"


def test_sys_exit_in_a_cell_is_a_failure_with_its_name(tmp_path):
    kept = run(tmp_path, "import sys; sys.exit(0)", "print('never')")
    assert states(kept) == ["failed", "not_run"]
    assert "SystemExit" in kept["metadata"]["mlops_nb"]["failure"]["exception"]


def test_a_widget_that_is_left_open_is_kept_and_does_not_block(tmp_path):
    code = "import ipywidgets; bar = ipywidgets.IntProgress(value=3); display(bar)"
    kept = run(tmp_path, code, "bar.value = 7")
    assert states(kept) == ["ran", "ran"]
    (state,) = kept["metadata"]["widgets"].values()
    assert 7 in [one["state"].get("value") for one in state["state"].values()]


def test_a_thread_that_never_ends_does_not_keep_the_kernel(tmp_path):
    code = "import os, threading, time; threading.Thread(target=time.sleep, args=(300,)).start(); print(os.getpid())"
    began = time.monotonic()
    kept = run(tmp_path, code)
    assert states(kept) == ["ran"] and time.monotonic() - began < 60
    assert not alive(int(text(kept)))


def test_cells_tell_what_they_cost(tmp_path):
    work = "x = bytearray(80_000_000)\nfor i in range(0, len(x), 4096): x[i] = 1\nsum(range(3_000_000))"
    kept = run(tmp_path, "1", work, "del x", "2")
    cost = [cell["metadata"]["mlops_nb"] for cell in kept["cells"]]
    assert cost[1]["peak_rss_bytes"] - cost[0]["peak_rss_bytes"] > 70_000_000
    assert cost[3]["peak_rss_bytes"] < cost[1]["peak_rss_bytes"] - 60_000_000  # the mark is reset
    assert cost[1]["cpu_seconds"] > 0 and cost[1]["seconds"] > 0


SECRETS = {"CAMERA_PASSWORD": 'pa"ss\nword1', "FLEET_PIN": "4711-0815", "TEAM": "night-shift"}


def test_secrets_are_on_no_page_wherever_they_appear(tmp_path):
    cells = [
        "import os\nfor name in ('CAMERA_PASSWORD', 'FLEET_PIN', 'TEAM'): print(os.environ[name])",
        f"{{'key': os.environ['FLEET_PIN'], 'token': {TOKEN!r}}}",
        "from mlops_nb.pipeline import emit; emit(pin='x' + os.environ['FLEET_PIN'])",
        "import sys\nfor part in ('4711-', '0815'): sys.stdout.write(part); sys.stdout.flush()",
        "raise ValueError('cannot log in with ' + os.environ['CAMERA_PASSWORD'])",
    ]
    kept = run(tmp_path, *cells, environ=SECRETS, secrets=["FLEET_PIN"])
    whole = json.dumps([cell["outputs"] for cell in kept["cells"]])
    whole += json.dumps(kept["metadata"]) + str(kept["error"])
    for secret in ("4711-0815", 'pa\\"ss', "word1", TOKEN):
        assert secret not in whole, secret
    assert "night-shift" in whole and "[secret FLEET_PIN]" in whole
    assert outputs(tmp_path / "out.ipynb") == {"pin": "x[secret FLEET_PIN]"}


def test_a_page_saved_in_the_middle_of_a_cell_has_no_secret_either(tmp_path):
    code = "import os, time; print(os.environ['FLEET_PIN'], flush=True); time.sleep(1.2); print('x'); time.sleep(2)"
    seen = []

    def watch() -> None:
        while len(seen) < 200 and not any("running" in one and "secret" in one for one in seen):
            time.sleep(0.05)
            if (tmp_path / "out.ipynb").exists():
                seen.append((tmp_path / "out.ipynb").read_text())

    watcher = threading.Thread(target=watch)
    watcher.start()
    run(tmp_path, code, environ=SECRETS, secrets=["FLEET_PIN"])
    watcher.join()
    assert not any("4711" in one.replace("os.environ", "") for one in seen)
    assert any("[secret FLEET_PIN]" in one and '"running"' in one for one in seen)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_secret_at_the_edge_of_what_is_shown_is_gone_too(cut):
    values, said = {"4711-0815": "PIN"}, Text()
    said.add("x" * (TEXT_BYTES // 2 - cut) + "4711-0815" + "y" * (3 * TEXT_BYTES))
    shown = said.shown(values)
    said.all.close()
    assert "4711" not in shown


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "AKIAIOSFODNN7EXAMPLE",
        "hf_" + "q" * 34,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dBjftJeZ4CVPmB92K27uhbU",
        "postgresql://ann:hunter2@db/mlflow",
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----",
    ],
)
def test_known_shapes_are_redacted(text):
    assert text[4:-4] not in redact(f"before {text} after", {})


def test_ordinary_text_is_left_alone():
    said = (
        "epoch 3: loss 0.12, sha256:9f86d081884c7d659a2feaa0c55ad015, see https://example.org/a:b"
    )
    assert redact(said, secret_values({"TOKENIZER": "bert-base", "TEAM": "night-shift"})) == said


def test_an_unknown_kernel_is_named(tmp_path):
    with pytest.raises(NotebookFailed, match="no kernel is called 'julia-9'"):
        execute(page("1", kernel="julia-9"), tmp_path / "o.ipynb", folder=tmp_path, environ={})


def test_papermill_tells_its_own_users_the_truth(tmp_path):
    (tmp_path / "in.ipynb").write_text(v4.writes(page("1", "1 / 0", "3")))
    paths = [str(tmp_path / name) for name in ("in.ipynb", "out.ipynb")]
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        papermill.execute_notebook(*paths, engine_name="mlops-nb", progress_bar=False)
    kept = json.loads(Path(paths[1]).read_text())
    said = [
        c["metadata"]["papermill"]["status"] for c in kept["cells"] if "papermill" in c["metadata"]
    ]
    assert said[-3:] == ["completed", "failed", "pending"]


def test_papermill_names_what_killed_a_kernel(tmp_path):
    (tmp_path / "in.ipynb").write_text(v4.writes(page("import os; os.kill(os.getpid(), 9)")))
    paths = [str(tmp_path / name) for name in ("in.ipynb", "out.ipynb")]
    with pytest.raises(Exception, match="ended by SIGKILL"):
        papermill.execute_notebook(*paths, engine_name="mlops-nb", progress_bar=False)


def test_papermill_reads_a_notebook_by_what_it_holds(ws, tmp_path, monkeypatch):
    monkeypatch.setenv("MLOPS_NB_WORKSPACE", str(ws.root))
    source = put_blob(ws, v4.writes(page("print(6 * 7)")).encode())
    options = {"engine_name": "mlops-nb", "progress_bar": False}
    made = papermill.execute_notebook(f"{source}.ipynb", str(tmp_path / "out.ipynb"), **options)
    assert made.cells[-1].outputs[0].text == "42\n"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PipelineError, match="named by its content"):
        papermill.execute_notebook(str(tmp_path / "out.ipynb"), f"{source}.ipynb", **options)
    assert not list(tmp_path.glob("blob*"))

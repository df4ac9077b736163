"Warm kernels: what a fork must be, and what it must survive. Real templates, real kernels."

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import papermill
import pytest
from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbformat import v4

from mlops_nb.kernels import children, warm
from mlops_nb.pipeline.execution import execute
from mlops_nb.workspace import PipelineError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
LIGHT = "ipykernel.kernelapp ipykernel.debugger threadpoolctl numpy"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    "Templates of this test alone, ended with it."
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("MLOPS_NB_KERNEL_MODULES", LIGHT)
    monkeypatch.setenv("MLOPS_NB_KERNEL_IDLE_S", "60")
    monkeypatch.setattr(warm, "_SAID", set())
    yield runtime / "mlops-nb"
    for pid in templates(runtime / "mlops-nb"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def templates(place: Path) -> list[int]:
    "Process ids of the templates whose sockets lie there."
    found = []
    for path in place.glob("*[0-9a-f]"):
        with suppress(OSError), socket.socket(socket.AF_UNIX) as door:
            door.connect(str(path))
            children.send(door, {"ask": "state"})
            found.append(children.receive(door)[0]["pid"])
    return found


@contextmanager
def kernel(name: str = "mlops-nb", **options):
    manager = KernelManager(kernel_name=name)
    manager.start_kernel(**options)
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    try:
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def said(client, code: str, **options):
    "What a cell prints, as Python reads it."
    out, state = [], {}

    def hook(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            out.append(content["text"])
        if message["msg_type"] == "error":
            state["error"] = content["ename"]

    options.setdefault("allow_stdin", False)
    client.execute_interactive(textwrap.dedent(code), output_hook=hook, timeout=60, **options)
    return state.get("error") or json.loads("".join(out) or "null")


def settled() -> dict:
    "The template's state once it has nothing left to import, and the next kernel waits."
    until = time.monotonic() + 60
    while not (state := warm.ask())["spare"] and time.monotonic() < until:
        time.sleep(0.05)
    return state


def gone(pid: int, within_s: float) -> bool:
    "Has the process ended (a zombie has)?"
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


ABOUT = """
import json, os, signal, sys, threading
from threadpoolctl import threadpool_info
import numpy
print(json.dumps({
    "folder": os.getcwd(),
    "path": sys.path,
    "argv": sys.argv[0].rpartition("/")[2],
    "environ": sorted(set(os.environ) - {"JPY_PARENT_PID", "PYDEVD_USE_FRAME_EVAL"}),
    "team": os.environ.get("TEAM"),
    "leader": os.getsid(0) == os.getpid() == os.getpgid(0),
    "main": __name__,
    "blas": [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"],
    "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
    "stdin": os.read(0, 1).decode(),
    "files": len(os.listdir("/proc/self/fd")),
    "folders": [str(one) for one in (*_dh, get_ipython().starting_dir)],
    "session": __session__,
    "names": sorted(set(globals()) - {"_i", "_ii", "_iii", "_i1"}),
    "count": get_ipython().execution_count,
    "history": get_ipython().history_manager.enabled,
    "config": str(get_ipython().config.get("HistoryManager")),
    "threads": sorted(one.name for one in threading.enumerate() if one.name != "client-watch" and "arent" not in type(one).__name__),
}))
"""


def test_a_forked_kernel_is_what_an_ordinary_one_would_be(tmp_path):
    settled()
    answers = {}
    for name in ("python3", "mlops-nb"):
        environ = os.environ | {"TEAM": "night", "JPY_SESSION_NAME": "drive"}
        spare = settled()["spare"]
        with kernel(name, cwd=str(tmp_path), env=environ) as (manager, client):
            answers[name] = said(client, ABOUT)
            assert (manager.provisioner.pid == spare) == (name == "mlops-nb")
            assert getattr(manager.provisioner, "forked", False) == (name == "mlops-nb")
    ordinary, forked = answers["python3"], answers["mlops-nb"]
    assert abs(ordinary.pop("files") - forked.pop("files")) <= 3  # nothing of the template leaks
    assert forked == ordinary
    assert forked["folder"] == str(tmp_path) and forked["team"] == "night"
    assert not warm._SAID


def test_two_kernels_draw_different_random_numbers_and_a_seed_gives_the_same():
    settled()
    draw = "import random, numpy; print([random.random(), numpy.random.rand()])"
    seeded = "import random, numpy; random.seed(3); numpy.random.seed(3); " + draw
    with kernel() as (_, one), kernel() as (_, two):
        assert set(said(one, draw)).isdisjoint(said(two, draw))
        assert said(one, seeded) == said(two, seeded)


def test_interrupt_stops_the_cell_and_not_the_kernel():
    with kernel() as (manager, client):
        said(client, "kept = 7")
        code = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
        message = client.execute(code, stop_on_error=False)  # else what follows at once is left out
        while client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
            pass
        manager.interrupt_kernel()
        while (reply := client.get_shell_msg(timeout=30))["parent_header"]["msg_id"] != message:
            pass
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert said(client, "print(kept)") == 7


def test_restart_gives_an_empty_kernel_with_the_same_connection():
    with kernel() as (manager, client):
        before = manager.provisioner.pid
        said(client, "kept = 7")
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=60)
        assert said(client, "print(int('kept' in globals()))") == 0
        assert manager.provisioner.pid != before and manager.provisioner.forked
        assert gone(before, 5)


def test_shutdown_runs_exit_handlers_and_says_how_it_ended(tmp_path):
    manager = KernelManager(kernel_name="mlops-nb")
    manager.start_kernel()
    process = manager.provisioner.process
    with_client = manager.client()
    with_client.start_channels()
    with_client.wait_for_ready(timeout=60)
    mark = tmp_path / "mark"
    said(
        with_client, f"import atexit; atexit.register(open({str(mark)!r}, 'w').write, 'bye'); None"
    )
    with_client.stop_channels()
    manager.shutdown_kernel()
    assert mark.exists() and process.returncode == 0


def test_input_is_asked_of_the_client():
    with kernel() as (_, client):
        answer = said(
            client,
            "print(input('which? '))",
            allow_stdin=True,
            stdin_hook=lambda message: client.input("41"),
        )
        assert answer == 41


@pytest.mark.parametrize(
    "code, ended",
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import os; os._exit(3)", 3),
    ],
)
def test_a_kernel_that_dies_tells_how(code, ended):
    with kernel() as (manager, client):
        client.execute(code)
        assert manager.provisioner.process.wait(30) == ended
        assert not manager.is_alive()


def test_a_killed_group_takes_the_kernels_children_along():
    with kernel() as (manager, client):
        code = "import subprocess; p = subprocess.Popen(['sleep', '300']); print(p.pid)"
        child = said(client, code)
        manager.shutdown_kernel(now=True)
        assert gone(child, 5)


def test_many_kernels_at_once_share_one_template(place):
    def ask(number: int):
        with kernel() as (manager, client):
            answer = said(client, f"print({number} ** 2)"), manager.provisioner.forked
        ensure_event_loop().close()  # jupyter_client opens one in each thread
        return answer

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [(n * n, True) for n in range(8)]
    assert len(templates(place)) == 1


CLIENT = """
import sys, time
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="mlops-nb")
client.execute_interactive("import time", allow_stdin=False)
client.execute("while True: pass")
print(manager.provisioner.pid, int(manager.provisioner.forked), flush=True)
time.sleep(300)
"""


@pytest.mark.parametrize("template_too", [False, True])
def test_no_kernel_outlives_a_killed_client(template_too):
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT], stdout=subprocess.PIPE, text=True
    ) as client:
        pid, forked = map(int, client.stdout.readline().split())
        assert forked
        if template_too:
            os.kill(settled()["pid"], signal.SIGKILL)
            assert not gone(pid, 1)
        client.kill()
    assert gone(pid, 5)


def test_a_killed_template_costs_no_kernel_and_the_next_gets_a_new_one():
    with kernel() as (manager, client):
        said(client, "kept = 7")
        first = settled()["pid"]
        os.kill(first, signal.SIGKILL)
        assert gone(first, 5)
        assert said(client, "print(kept)") == 7
        assert manager.is_alive()
        with kernel() as (other, second):
            assert other.provisioner.forked and said(second, "print(1)") == 1
        assert warm.ask()["pid"] != first
        process = manager.provisioner.process
        manager.shutdown_kernel(now=True)
        assert process.returncode == 255  # ended; nobody was left to say how


def test_an_idle_template_ends_and_leaves_nothing(monkeypatch, place):
    monkeypatch.setenv("MLOPS_NB_KERNEL_IDLE_S", "0.3")
    pid = settled()["pid"]
    assert gone(pid, 20)
    assert [one.name for one in place.iterdir()] == ["lock"]
    with kernel() as (manager, client):
        assert manager.provisioner.forked
        time.sleep(1)  # busy with a kernel is not idle
        assert said(client, "print(1)") == 1


def test_a_library_that_starts_a_thread_stays_cold(tmp_path, monkeypatch):
    (tmp_path / "busy.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    (tmp_path / "broken.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    )
    monkeypatch.setenv("MLOPS_NB_KERNEL_MODULES", "busy broken " + LIGHT)
    state = settled()
    assert state["refused"] == {"busy": "it starts a thread", "broken": "RuntimeError: no licence"}
    assert set(LIGHT.split()) == set(state["warm"])
    with kernel() as (manager, client):
        assert manager.provisioner.forked
        assert said(client, "import sys; print(int('busy' in sys.modules))") == 0


@pytest.mark.parametrize(
    "change", [{"PYTHONHASHSEED": "7"}, {"OMP_NUM_THREADS": "61"}, {"NUMPY_MADE_UP": "1"}]
)
def test_what_is_read_at_start_leads_to_another_template(change):
    environ = dict(os.environ)
    assert warm.key_of(environ | change) != warm.key_of(environ)


def test_what_is_read_later_does_not():
    environ = dict(os.environ)
    later = {"TEAM": "night", "MLFLOW_TRACKING_URI": "sqlite:///x", "JPY_SESSION_NAME": "a"}
    assert warm.key_of(environ | later) == warm.key_of(environ)


def test_an_upgraded_library_starts_a_new_template(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    before = warm.key_of(dict(os.environ))
    (tmp_path / "torch-99.0.dist-info").mkdir()
    installed = warm.key_of(dict(os.environ))
    os.utime(tmp_path / "torch-99.0.dist-info", (1, 1))
    assert len({before, installed, warm.key_of(dict(os.environ))}) == 3


def test_a_folder_that_others_can_open_is_refused(place):
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    with pytest.raises(PipelineError, match="only user"):
        warm.ask()
    with kernel() as (manager, client):  # and the kernel starts in the ordinary way
        assert not manager.provisioner.forked and said(client, "print(1)") == 1


def test_a_link_in_the_folders_place_is_refused(place, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PipelineError, match="only user"):
        warm.ask()


@pytest.mark.skipif(os.getuid() != 0, reason="needs the right to become somebody else")
def test_another_user_is_not_answered(monkeypatch):
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        settled()
        opened = Path(runtime, "mlops-nb")
        path = opened / warm.key_of(dict(os.environ))
        for one in (runtime, opened, path):
            os.chmod(one, 0o777)
        code = (
            "import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
            's.connect(sys.argv[1])\ns.sendall(b\'{"ask": "state"}\\n\')\nprint(s.recv(9))'
        )
        asked = [sys.executable, "-c", code, str(path)]
        with socket.socket(socket.AF_UNIX) as own:  # the door itself is open to its owner
            own.connect(str(path))
            own.sendall(b'{"ask": "state"}\n')
            assert b"warm" in own.recv(65536)
        answer = subprocess.run(asked, capture_output=True, text=True, cwd="/", check=False)
        assert "user 65534 asks" in path.with_suffix(".log").read_text()
    assert "warm" not in answer.stdout


def test_where_a_fork_is_unsafe_the_kernel_starts_cold_and_says_so_once(monkeypatch, caplog):
    monkeypatch.setattr(warm.sys, "platform", "darwin")
    for _ in range(2):
        with kernel() as (manager, client):
            assert not manager.provisioner.forked and said(client, "print(1)") == 1
    assert caplog.text.count("This kernel starts cold: forking is not safe on darwin") == 1


def page(*cells: str):
    found = v4.new_notebook(cells=[v4.new_code_cell(one) for one in cells])
    found.metadata.kernelspec = {
        "name": "mlops-nb", "language": "python", "display_name": "mlops-nb (warm)"
    }  # fmt: skip
    return found


def test_papermill_and_nbclient_use_it_by_name(tmp_path):
    settled()
    count = "import sys; print(int('threadpoolctl' in sys.modules))"  # warm, so already there
    done = NotebookClient(page(count)).execute()
    assert done.cells[0].outputs[0].text == "1\n"
    path = tmp_path / "page.ipynb"
    path.write_text(json.dumps(page(count)))
    ran = papermill.execute_notebook(str(path), str(tmp_path / "out.ipynb"), progress_bar=False)
    assert ran.cells[0].outputs[0].text == "1\n"


def test_the_template_imports_nothing_of_ours():
    settled()
    code = (
        "import sys; ours = ('mlops_nb', 'kernels')\n"
        "print(int(any(name.partition('.')[0] in ours for name in sys.modules)))"
    )
    with kernel() as (_, client):
        assert said(client, code) == 0


def test_a_template_holds_nothing_of_the_client_that_began_it(monkeypatch):
    monkeypatch.setenv("FLEET_PIN", "4711-0815")
    pid = settled()["pid"]
    assert b"4711-0815" not in Path(f"/proc/{pid}/environ").read_bytes()
    with kernel() as (_, client):
        assert said(client, "import os; print(len(os.environ['FLEET_PIN']))") == 9


def test_limits_of_a_kernel_are_those_of_its_client():
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    shell = (
        f"import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (777, 777))\n"
        "from jupyter_client.manager import start_new_kernel\n"
        "m, c = start_new_kernel(kernel_name='mlops-nb')\n"
        f"c.execute_interactive({code!r}, allow_stdin=False)\n"
        "m.shutdown_kernel(now=True)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", shell], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.stdout.strip() == "777", ran.stderr


def test_a_kernel_that_ends_before_its_client_has_looked_is_whole(tmp_path, monkeypatch):
    settled()
    hear = children.receive

    def late(client):
        client.recv(1, socket.MSG_PEEK)
        time.sleep(1)  # by then it has ended, and its template has told so
        return hear(client)

    monkeypatch.setattr(children, "receive", late)
    asked = {
        "ask": "module",
        "folder": "/",
        "argv": ["no_such_module"],
        "environ": dict(os.environ),
    }
    with (tmp_path / "log").open("wb") as log:
        ended = warm.ForkedKernel(*warm._child(asked, (log.fileno(), log.fileno())))
    assert ended.wait(10) == 1 and gone(ended.pid, 1)
    assert "no_such_module" in (tmp_path / "log").read_text()
    ended.kill()  # and whoever has its number now is safe


ASIDE = """
import json, os, sys, time
from pathlib import Path
about = [sys.argv, __name__, os.environ["TEAM"], os.getcwd(), os.getsid(0) == os.getpid()]
print(json.dumps([*about, sys.path[0] == os.getcwd(), "numpy" in sys.modules]), flush=True)
sys.stdin.read()
for _ in range(1200):  # nobody waits for ever
    if Path("go").exists():
        break
    time.sleep(0.05)
Path("mark").write_text("done")
sys.exit(3)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_module_goes_on_when_the_one_who_started_it_is_killed(tmp_path, monkeypatch, platform):
    (tmp_path / "aside.py").write_text(ASIDE)
    warm = "numpy" in settled()["warm"]
    code = (
        "import os, sys, time\nfrom pathlib import Path\nfrom mlops_nb.kernels import fork_module\n"
        f"sys.platform = {platform!r}\nlog, folder = Path({str(tmp_path)!r}, 'log'), Path({str(tmp_path)!r})\n"
        "environ = os.environ | {'TEAM': 'night'}\n"
        "print(fork_module(['aside', '--x', 'two words'], log=log, folder=folder, environ=environ), flush=True)\n"
        "time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as client:
        pid = int(client.stdout.readline())
        client.kill()
    assert not gone(pid, 1)
    until = time.monotonic() + 30
    while not (told := (tmp_path / "log").read_text()).endswith("\n"):
        assert time.monotonic() < until, told
        time.sleep(0.05)
    argv, *about = json.loads(told)
    assert argv == [str(tmp_path / "aside.py"), "--x", "two words"]
    assert about == [
        "__main__",
        "night",
        str(tmp_path),
        platform == "linux",
        True,
        platform == "linux" and warm,
    ]
    (tmp_path / "go").touch()
    assert gone(pid, 10) and (tmp_path / "mark").read_text() == "done"


def test_kernels_of_a_forked_module_come_from_the_template_it_came_from(tmp_path, monkeypatch):
    "Also where a library of the template sets a variable that a kernel would read at its start."
    (tmp_path / "sets.py").write_text("import os\nos.environ['LD_LIBRARY_PATH'] = '/sets'")
    (tmp_path / "aside.py").write_text(
        "import os\nfrom pathlib import Path\nfrom mlops_nb.kernels.warm import key_of\n"
        "said = os.environ['LD_LIBRARY_PATH'], key_of(dict(os.environ)), key_of({**os.environ, 'LD_LIBRARY_PATH': '/x'})\n"
        "Path('said.tmp').write_text(' '.join(said))\nPath('said.tmp').rename('said')"
    )
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setenv("MLOPS_NB_KERNEL_MODULES", "sets")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    while warm.ask()["cold"]:
        time.sleep(0.05)
    assert gone(warm.fork_module(["aside"], log=tmp_path / "log", folder=tmp_path), 30)
    found, key, other = (tmp_path / "said").read_text().split()
    assert (found, key) == ("/sets", warm.key_of(dict(os.environ))) and other != key


def test_a_module_does_not_wait_until_a_template_has_imported(tmp_path, monkeypatch):
    "An import that ends when the module has run, or when it has waited in vain."
    (tmp_path / "slow.py").write_text(
        "import time\nfrom pathlib import Path\n"
        f"place = Path({str(tmp_path)!r})\n"
        "(place / 'imports').touch()\n"
        "end = time.monotonic() + 20\n"
        "while not (place / 'ran').exists() and time.monotonic() < end: time.sleep(0.01)\n"
        "if not (place / 'ran').exists(): (place / 'in vain').touch()\n"
    )
    (tmp_path / "aside.py").write_text("from pathlib import Path\nPath('ran').touch()")
    monkeypatch.setenv("MLOPS_NB_KERNEL_MODULES", "slow")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    warm.ask()
    while not (tmp_path / "imports").exists():
        time.sleep(0.01)
    assert gone(warm.fork_module(["aside"], log=tmp_path / "log", folder=tmp_path), 30)
    assert (tmp_path / "ran").exists() and not (tmp_path / "in vain").exists()


def test_the_next_kernel_waits_and_a_third_is_forked_at_once():
    first = settled()["spare"]
    with kernel() as (one, _), kernel() as (two, client):
        assert one.provisioner.pid == first
        assert two.provisioner.forked and said(client, "print(2)") == 2
        second = settled()["spare"]
        assert second not in (None, first, two.provisioner.pid)
        with kernel() as (three, _):
            assert three.provisioner.pid == second


def test_a_kernel_that_nobody_asked_for_ends_with_its_template():
    state = settled()
    os.kill(state["pid"], signal.SIGKILL)
    assert gone(state["spare"], 5)


def test_without_the_kernel_that_waited_another_is_forked():
    for _ in range(3):
        spare = settled()["spare"]
        os.kill(spare, signal.SIGKILL)
        while warm.ask()["spare"] == spare:  # its last thread is not gone yet
            time.sleep(0.01)
        with kernel() as (manager, client):
            assert manager.provisioner.forked and said(client, "print(1)") == 1
    time.sleep(1)
    assert warm.ask()["spare"] is None  # it gives up, and forks on demand
    with kernel() as (manager, client):
        assert manager.provisioner.forked and said(client, "print(1)") == 1


def test_a_session_of_the_history_begins_when_a_kernel_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    count = "print(list(get_ipython().history_manager.db.execute('select count(*) from sessions'))[0][0])"
    settled()
    with kernel() as (_, client):
        settled()
        assert said(client, count) == 1
        said(client, "kept = 7")
        with kernel() as (_, second):
            assert said(second, count) == 2


@pytest.mark.parametrize("when", ["before", "while it waits"])
def test_a_configured_ipython_is_configured(tmp_path, monkeypatch, when):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    profile = tmp_path / "ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    if when != "before":
        settled()
    (profile / "startup" / "own.py").write_text("import os\nplace = os.getcwd()\n")
    with kernel(cwd=str(tmp_path)) as (manager, client):
        assert said(client, "import json; print(json.dumps(place))") == str(tmp_path)
    (profile / "ipython_kernel_config.py").write_text(
        "c.InteractiveShellApp.exec_lines = ['mine = 41']"
    )
    settled()
    with kernel() as (manager, client):
        assert manager.provisioner.forked and said(client, "print(mine)") == 41


@pytest.mark.parametrize("spare", [True, False])
def test_the_cells_of_a_step_stay_out_of_a_persons_history(tmp_path, monkeypatch, spare):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    waits = settled()["spare"]
    if not spare:
        monkeypatch.setattr(warm.sys, "platform", "darwin")
    code = "print(json.dumps([os.getpid(), get_ipython().history_manager.enabled, In[-1][:5]]))"
    page = v4.new_notebook(cells=[v4.new_code_cell(f"import json, os; {code}")])
    done = execute(page, None, folder=tmp_path, environ={})
    pid, enabled, said = json.loads(done["cells"][0]["outputs"][0]["text"])
    assert (pid == waits, enabled, said) == (spare, False, "impor")
    assert not list(tmp_path.rglob("history.sqlite"))

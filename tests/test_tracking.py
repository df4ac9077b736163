"Every run is an MLflow run: what MLflow is told of it, on good days and bad; what differs between two."

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from nbformat import v4

from mlops_nb.data.ingestion import row_of
from mlops_nb.data.items import Item
from mlops_nb.data.leaves import SCHEMA
from mlops_nb.data.ports import Port
from mlops_nb.data.store import append_rows, writing
from mlops_nb.ledger import acts
from mlops_nb.pipeline import Output, Step, StepFailed, run
from mlops_nb.registry import diff_runs, keep_telling, mirror, models, track, tracking_uri
from mlops_nb.workspace import RegistryError, WorkspaceError, get_blob, open_workspace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, called here
AWAY_S = 30  # how long a server that is being restarted does not answer

# three notebooks


def write(path: Path, declared: str, *code: str) -> Path:
    cells = [v4.new_code_cell(one) for one in (declared, *code)]
    cells[0].metadata.tags = ["parameters"]
    page = v4.new_notebook(cells=cells)
    for number, cell in enumerate(page.cells):
        cell["id"] = f"cell{number}"
    page.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path


TRACK = """
import mlflow
from mlops_nb.registry import track
from mlops_nb.workspace import open_workspace
with track(open_workspace(), run_id, experiment="signs"):
    mlflow.log_param("epochs", epochs)
    mlflow.log_metric("loss", 1 / epochs, step=epochs)
"""
EMIT = "from mlops_nb.pipeline import emit\n"
BUNDLE = "bundle:" + "b" * 64
TRAIN = (
    "epochs: int = 5\ndata: str = 'signs@1'\nnote: str = ''\nrun_id: str = ''",
    "import tool" + TRACK,
    EMIT + f"emit(accuracy=1 - 1 / epochs, bundle={BUNDLE!r}, classes=['stop', 'yield'])",
)
JUDGE = (
    "accuracy: float\nmodel: str\nstore: str = 'postgres://eve:hunter22@db/x'",
    EMIT + "emit(good=accuracy > 0.5, margin=accuracy - 0.5)",
)


def versions(ws) -> None:
    "signs@1 with two images, signs@2 with one more and one changed."
    for labels in ({"a": "stop", "b": "stop"}, {"b": "yield", "c": "stop"}):
        items = [Item(name, Path(name), name.encode(), label) for name, label in labels.items()]
        rows = [row_of(one) for one in items]
        with writing(ws, "signs"):
            batches = pa.Table.from_pylist(rows, schema=SCHEMA).to_batches()
            append_rows(ws, "signs", batches, replace={row["sample_id"] for row in rows})


def committed(folder: Path) -> None:
    "A repository whose tool.py was edited since its commit."
    (folder / "tool.py").write_text("LANES = 3\n")
    mine = ["-c", "user.name=ana", "-c", "user.email=ana@example.org"]
    for words in (["init", "-q"], ["add", "."], [*mine, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    (folder / "tool.py").write_text("LANES = 4\n")


def steps_in(folder: Path, **given) -> list[Step]:
    train, judge = (folder / f"{name}.ipynb" for name in ("train", "judge"))
    wired = {"accuracy": Output("train", "accuracy"), "model": Output("train", "bundle")}
    return [Step("train", train, given), Step("judge", judge, wired)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    "A workspace whose MLflow database is made; making one costs seconds."
    ws = open_workspace(tmp_path_factory.mktemp("tracking") / "workspace")
    assert models(ws) == ()
    return ws


@pytest.fixture(scope="module")
def history(empty, tmp_path_factory):
    "Two runs: one trains and judges, one trains longer on newer data, with an edited cell, and fails."
    home = tmp_path_factory.mktemp("history")
    shutil.copytree(empty.root, home / "workspace")
    ws, notebooks = open_workspace(home / "workspace"), home / "notebooks"
    notebooks.mkdir()
    ws.folder("bundles", "b" * 64)
    versions(ws)
    committed(notebooks)
    write(notebooks / "train.ipynb", *TRAIN)
    write(notebooks / "judge.ipynb", *JUDGE)
    first = run(ws, steps_in(notebooks, note="x" * 7000), by="ana")
    shutil.copytree(ws.root, home / "first")
    again = run(ws, steps_in(notebooks, note="x" * 7000), by="ben")
    (notebooks / "tool.py").write_text("LANES = 5\n")
    write(notebooks / "judge.ipynb", JUDGE[0], JUDGE[1].replace("> 0.5", "> 0.5 / 0"))
    with pytest.raises(StepFailed) as caught:
        run(ws, steps_in(notebooks, epochs=8, data="signs@2"), by="ben")
    return ws, (first, again, caught.value.run)


@pytest.fixture
def ws(empty, tmp_path):
    "A copy of the empty one."
    shutil.copytree(empty.root, tmp_path / "workspace")
    return open_workspace(tmp_path / "workspace")


@pytest.fixture
def copied(history, tmp_path):
    "A copy of the history, and its runs. Artefacts stay where the first database says they are."
    shutil.copytree(history[0].root, tmp_path / "workspace")
    return open_workspace(tmp_path / "workspace"), history[1]


def client_of(ws):
    import mlflow

    return mlflow.MlflowClient(tracking_uri(ws), tracking_uri(ws))


def runs_in(ws) -> list:
    "MLflow's runs in all experiments, oldest first."
    client = client_of(ws)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here = [one.experiment_id for one in client.search_experiments()]
        return list(reversed(client.search_runs(here)))


def told(ws, run_id: str, step: str | None = None):
    "MLflow's run of a step, or of the whole."
    found = [
        one
        for one in runs_in(ws)
        if one.data.tags.get("mlops_nb.run") == run_id
        and one.data.tags.get("mlops_nb.step") == step
    ]
    assert len(found) == 1, found
    return found[0]


# in the notebook


def test_the_same_notebook_twice_in_a_run_is_two_mlflow_runs(ws, tmp_path):
    page = write(tmp_path / "train.ipynb", "epochs: int = 5\nrun_id: str = ''", TRACK, TRACK)
    run(ws, [Step("short", page, {"epochs": 1}), Step("long", page, {"epochs": 9})])
    found = {one.data.tags["mlops_nb.step"]: one for one in runs_in(ws)}
    assert {name: one.data.params for name, one in found.items()} == {
        "short": {"epochs": "1"},
        "long": {"epochs": "9"},
    }
    assert len({one.data.tags["mlops_nb.attempt"] for one in found.values()}) == 2


def test_a_step_that_is_tried_again_is_an_mlflow_run_of_its_own(ws, tmp_path):
    fails_once = (
        "    from pathlib import Path\n    if not Path('seen').exists():\n"
        "        Path('seen').touch()\n        raise OSError('the disk was busy')"
    )
    page = write(tmp_path / "train.ipynb", "epochs: int = 5\nrun_id: str = ''", TRACK + fails_once)
    run(ws, [Step("train", page, retries=1, backoff_s=0.01)])
    assert [one.info.status for one in runs_in(ws)] == ["FAILED", "FINISHED"]
    assert mirror(ws).told == 3 and mirror(ws).told == 0
    assert sorted(one.info.status for one in runs_in(ws)) == ["FAILED", "FINISHED", "FINISHED"]


def test_mlflow_is_quiet_while_we_use_it_and_leaves_nothing_in_the_environment(ws, monkeypatch):
    seen = {}
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "3")
    for step in (None, "train"):
        if step:
            monkeypatch.setenv("MLOPS_NB_STEP", step)
        before = dict(os.environ)
        with track(ws, "run:" + "7" * 32):
            seen[step] = os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]
            assert os.environ["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] == "3"
        assert {k: v for k, v in os.environ.items() if k.startswith("MLFLOW")} == {
            k: v for k, v in before.items() if k.startswith("MLFLOW")
        }
    assert seen == {None: "2", "train": "7"}


# what MLflow is told


def test_mlflow_knows_all_of_a_step_that_tracks_itself(copied):
    ws, (first, *_) = copied
    assert mirror(ws).refused == {}
    one, facts = told(ws, first.id, "train"), acts(ws, verb="run")[0].facts
    client, tags = client_of(ws), one.data.tags
    assert client.get_experiment(one.info.experiment_id).name == "signs"
    assert one.data.params["epochs"] == "5" and one.data.params["data"] == "signs@1"
    assert len(one.data.params["note"]) == 6000 and "run_id" not in one.data.params
    assert one.data.metrics["accuracy"] == 0.8 and one.data.metrics["loss"] == 0.2
    assert len(client.get_metric_history(one.info.run_id, "loss")) == 1
    assert (one.info.status, tags["mlflow.user"]) == ("FINISHED", "ana")
    took = (one.info.end_time - one.info.start_time) / 1000
    assert 0 < took <= facts["seconds"]
    assert tags["mlflow.source.git.commit"] == facts["commit"] and len(facts["commit"]) == 40
    assert tags["mlflow.source.git.dirty"] == "True" and tags["mlflow.source.type"] == "NOTEBOOK"
    assert tags["mlops_nb.notebook"] == facts["source"] and tags["mlops_nb.machine"]
    assert tags["mlops_nb.installed"] == facts["installed"] and tags["mlops_nb.environment"]
    assert tags["mlflow.parentRunId"] == told(ws, first.id).info.run_id


def test_mlflow_knows_the_data_the_models_and_the_files_of_a_step(copied, tmp_path):
    ws, (first, *_) = copied
    mirror(ws)
    names = ("train", "judge")
    train, judge = (client_of(ws).get_run(told(ws, first.id, n).info.run_id) for n in names)
    (given,) = train.inputs.dataset_inputs
    source = json.loads(given.dataset.source)
    assert source["reference"] == "signs@1" and source["id"].startswith("data:")
    assert source["id"].removeprefix("data:").startswith(given.dataset.digest)
    assert [(t.key, t.value) for t in given.tags] == [("mlflow.data.context", "input")]
    (made,), (used,) = train.outputs.model_outputs, judge.inputs.model_inputs
    model = client_of(ws).get_logged_model(made.model_id)
    assert made.model_id == used.model_id and model.tags["mlops_nb.bundle"] == BUNDLE
    assert (str(model.status), model.source_run_id) == ("READY", train.info.run_id)
    there = Path(client_of(ws).download_artifacts(train.info.run_id, "", str(tmp_path)))
    facts = acts(ws, verb="run")[0].facts
    assert (there / "page" / "train.ipynb").read_bytes() == get_blob(ws, facts["page"])
    assert "+LANES = 4" in (there / "code" / "diff.patch").read_text()
    assert json.loads((there / "parameters.json").read_text())["note"] == "x" * 7000
    assert json.loads((there / "outputs.json").read_text())["classes"] == ["stop", "yield"]


def test_a_step_that_knows_nothing_of_mlflow_is_there_too_and_its_secrets_are_not(copied):
    ws, (first, *_) = copied
    mirror(ws)
    judge = told(ws, first.id, "judge")
    assert client_of(ws).get_experiment(judge.info.experiment_id).name == "judge"
    assert judge.data.params["accuracy"] == "0.8"
    assert judge.data.params["store"] == "postgres://[secret]@db/x"
    assert judge.data.metrics["margin"] == pytest.approx(0.3) and "good" not in judge.data.metrics
    assert judge.info.end_time - judge.info.start_time == pytest.approx(
        1000 * judge.data.metrics["mlops_nb.seconds"], abs=2
    )


def test_cached_and_failed_steps_are_told_as_such(copied):
    ws, (first, again, broken) = copied
    mirror(ws)
    whole = told(ws, again.id)
    assert whole.data.tags["mlops_nb.cached.train"] == first.id and whole.info.status == "FINISHED"
    assert whole.data.tags["mlflow.user"] == "ben"
    judge = told(ws, broken.id, "judge")
    assert judge.info.status == told(ws, broken.id).info.status == "FAILED"
    assert "ZeroDivisionError" in judge.data.tags["mlops_nb.error"]


def everything(ws) -> list:
    "All that MLflow holds, as text to compare."
    client, found = client_of(ws), []
    for one in runs_in(ws):
        history = [client.get_metric_history(one.info.run_id, name) for name in one.data.metrics]
        found.append((one.to_dictionary(), [[vars(m) for m in points] for points in history]))
    here = [one.experiment_id for one in client.search_experiments()]
    return [*found, [one.model_id for one in client.search_logged_models(here)]]


def test_telling_again_changes_nothing_even_when_the_mirror_forgot_how_far_it_came(copied):
    ws, _ = copied
    assert mirror(ws).told == len(acts(ws, verb="run")) + len(acts(ws, verb="pipeline")) == 7
    before = everything(ws)
    assert mirror(ws).told == 0
    shutil.rmtree(ws.path("tracking"))
    assert mirror(ws).told == 7
    assert json.dumps(everything(ws), default=str) == json.dumps(before, default=str)


def test_what_somebody_deleted_in_mlflow_stays_deleted(copied):
    ws, (first, *_) = copied
    mirror(ws)
    client_of(ws).delete_run(told(ws, first.id, "judge").info.run_id)
    shutil.rmtree(ws.path("tracking"))
    assert mirror(ws).refused == {}
    assert "judge" not in [
        one.data.tags.get("mlops_nb.step")
        for one in runs_in(ws)
        if one.data.tags["mlops_nb.run"] == first.id
    ]


# bad days


KILLED_ANYWHERE = """
import json, os, signal, shutil, sys
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow
from pathlib import Path
from mlops_nb.registry import mirror
from mlops_nb.workspace import open_workspace

history, place = map(Path, sys.argv[1:])
CALLS = [name for name in vars(mlflow.MlflowClient) if name.startswith(("create_", "log_", "set_", "finalize_"))]


def child(action):
    "Its exit status; what it does to MLflow's client stays with it."
    pid = os.fork()
    if pid == 0:
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(root, number):
    "Mirror, and die by SIGKILL in place of one call to MLflow."
    left = [number]

    def counted(real):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        return call

    for name in CALLS:
        setattr(mlflow.MlflowClient, name, counted(getattr(mlflow.MlflowClient, name)))
    mirror(open_workspace(root))


def look(root):
    done = mirror(open_workspace(root))
    assert not done.refused and not done.away, done
    client = mlflow.MlflowClient(f"sqlite:///{root}/mlflow.db")
    here = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(here)
    acts = sorted(one.data.tags["mlops_nb.act"] for one in runs)
    points = sorted(len(client.get_metric_history(r.info.run_id, m)) for r in runs for m in r.data.metrics)
    models = sorted((str(m.status), m.tags["mlops_nb.bundle"]) for m in client.search_logged_models(here))
    status = sorted(one.info.status for one in runs)
    print(json.dumps([acts, points, models, status]), flush=True)


shutil.copytree(history, place / "warm")
mirror(open_workspace(place / "warm"))  # imports all there is, so that a child begins at once
number = 0
while True:
    number += 1
    root = place / str(number)
    shutil.copytree(history, root)
    code = child(lambda: killed_at(root, number))
    child(lambda: look(root))
    shutil.rmtree(root)
    if code == 0:
        break
print(json.dumps(number), flush=True)
"""


def test_killed_between_any_two_calls_the_mirror_ends_with_one_mlflow_run_per_act(
    history, tmp_path
):
    first = history[0].root.parent / "first"
    command = [sys.executable, "-c", KILLED_ANYWHERE, str(first), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *found, calls = map(json.loads, done.stdout.splitlines())
    ws = open_workspace(first)
    every = sorted(act.id for verb in ("run", "pipeline") for act in acts(ws, verb=verb))
    assert calls > 15 and len(found) == calls and len(every) == 3
    for acts_told, points, logged, status in found:
        assert acts_told == every and set(points) == {1}
        assert logged == [["READY", BUNDLE]] and status == ["FINISHED"] * 3


def test_an_act_mlflow_refuses_is_kept_with_the_reason_and_holds_up_nothing(copied):
    ws, (first, *_) = copied
    client = client_of(ws)
    gone = client.create_experiment("judge", artifact_location=ws.folder("mlartifacts").as_uri())
    client.delete_experiment(gone)
    done = mirror(ws)
    refused = [act.id for act in acts(ws, verb="run") if act.facts["step"] == "judge"]
    assert sorted(done.refused) == sorted(refused) and done.told == 5 and not done.away
    assert all("'judge' was deleted" in why for why in done.refused.values())
    assert "mlflow experiments restore" in str(mirror(ws))
    client.restore_experiment(gone)
    again = mirror(ws)
    assert again.told == 2 and again.refused == {} and mirror(ws).told == 0
    assert told(ws, first.id, "judge").info.status == "FINISHED"


class Forbids(http.server.BaseHTTPRequestHandler):
    "A tracker whose door stays shut."

    def do_GET(self):
        body = json.dumps({"error_code": "PERMISSION_DENIED", "message": "not you"}).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def tell(ws, *words: str) -> subprocess.CompletedProcess:
    command = Path(sys.executable).with_name("mlops-nb")
    environ = os.environ | {f"MLOPS_NB_{k.upper()}": v for k, v in ws.settings.items()}
    asked = [str(command), "--workspace", str(ws.root), *words]
    return subprocess.run(asked, capture_output=True, text=True, check=False, env=environ)


def test_a_tracker_that_forbids_fails_no_run_and_is_said(ws, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbids)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shut = replace(
        ws, settings=ws.settings | {"tracking_uri": f"http://127.0.0.1:{server.server_port}"}
    )
    page = write(tmp_path / "plain.ipynb", "n: int = 1", EMIT + "emit(twice=2 * n)")
    assert run(shut, [Step("plain", page)]).status == "ran"
    done = tell(shut, "track")
    server.shutdown()
    server.server_close()
    assert done.returncode == 1 and "2 left for later" in done.stdout and "not you" in done.stdout
    done = tell(ws, "track")  # elsewhere, nothing was lost
    assert (done.returncode, done.stdout) == (0, "told MLflow of 2\n")


def test_a_runner_that_was_killed_leaves_no_mlflow_run_open(ws, tmp_path):
    quick = write(tmp_path / "quick.ipynb", "n: int = 1", EMIT + "emit(n=n)")
    slow = write(tmp_path / "slow.ipynb", "n: int", "import time; time.sleep(600)")
    program = (
        "import sys\nfrom mlops_nb.pipeline import Output, Step, run\n"
        "from mlops_nb.workspace import open_workspace\n"
        "run(open_workspace(sys.argv[1]), [Step('quick', sys.argv[2]),"
        " Step('slow', sys.argv[3], {'n': Output('quick', 'n')})])"
    )
    words = [sys.executable, "-c", program, str(ws.root), str(quick), str(slow)]
    runner = subprocess.Popen(words)
    while not acts(ws, verb="run"):
        assert runner.poll() is None
        time.sleep(0.05)
    assert mirror(ws).told == 1
    run_id = acts(ws, verb="run")[0].facts["run"]
    assert told(ws, run_id).info.status == "RUNNING"
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    assert mirror(ws).told == 0
    assert told(ws, run_id).info.status == "FAILED"
    assert told(ws, run_id, "quick").info.status == "FINISHED"


class Server:
    "A real MLflow server behind a door: while it starts again, nobody answers."

    def __init__(self, folder: Path, database: Path):
        self.log, self.place = folder / "server.log", tempfile.TemporaryDirectory()
        self.socket = Path(self.place.name, "mlflow.sock")
        shutil.copy(database, folder / "server.db")
        self.command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        self.command += ["--uvicorn-opts", f"--uds {self.socket}", "--artifacts-destination"]
        self.command += [str(folder / "artefacts"), "--backend-store-uri"]
        self.command += [f"sqlite:///{folder / 'server.db'}"]
        self.door = Port(self.socket)
        self.number = self.door.number
        self.url = f"http://127.0.0.1:{self.number}"

    def start(self) -> None:
        "Behind a door that stays as it is."
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        quiet |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # a second server, for GenAI jobs
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=os.environ | quiet, start_new_session=True
            )
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as look:
                if not look.connect_ex(str(self.socket)):
                    return
            time.sleep(0.1)
        raise AssertionError(f"the server did not start: {self.log.read_text()}")

    def open(self) -> None:
        self.door = Port(self.socket, self.number)

    def stop(self) -> None:
        self.door.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.socket.unlink(missing_ok=True)


@pytest.fixture
def server(empty, tmp_path):
    "One that runs."
    made = Server(tmp_path, empty.root / "mlflow.db")
    made.start()
    yield made
    made.stop()
    made.place.cleanup()


WAITS = """
import mlflow, time
from pathlib import Path
from mlops_nb.registry import track
from mlops_nb.workspace import open_workspace
with track(open_workspace(), run_id, experiment="signs"):
    mlflow.log_metric("loss", 0.5, step=1)
    Path("trained").touch()
    while not Path("gone").exists():
        time.sleep(0.05)
    mlflow.log_metric("loss", 0.25, step=2)
"""


def test_a_server_that_is_away_for_30_s_in_the_middle_costs_time_and_nothing_else(server, tmp_path):
    ws = open_workspace(tmp_path / "workspace")
    ws = replace(ws, settings=ws.settings | {"tracking_uri": server.url})
    page = write(tmp_path / "train.ipynb", "run_id: str = ''", WAITS, EMIT + "emit(loss=0.25)")

    def restart() -> None:
        while not (tmp_path / "trained").exists():
            time.sleep(0.05)
        server.stop()
        (tmp_path / "gone").touch()
        back_at = time.monotonic() + AWAY_S
        server.start()
        time.sleep(max(0, back_at - time.monotonic()))
        server.open()

    thread = threading.Thread(target=restart)
    thread.start()
    done = run(ws, [Step("train", page)])
    thread.join()
    one = told(ws, done.id, "train")
    history = client_of(ws).get_metric_history(one.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.25)]

    server.stop()  # and between steps: the mirror leaves all of it for later, and says so
    starting = threading.Thread(target=server.start)
    starting.start()
    away = mirror(ws)
    assert (away.told, away.left) == (0, 2) and "Connection" in away.away
    assert keep_telling(ws, (0,)).left == 2
    starting.join()
    server.open()
    assert keep_telling(ws, (0,)).told == 2 and mirror(ws).told == 0
    assert {one.info.status for one in runs_in(ws)} == {"FINISHED"} and len(runs_in(ws)) == 2
    assert one.info.run_id == told(ws, done.id, "train").info.run_id
    page = client_of(ws).list_artifacts(one.info.run_id, "page")
    assert [found.path for found in page] == ["page/train.ipynb"]


# by itself


def test_a_run_is_told_by_a_process_of_its_own_and_the_runner_never_imports_mlflow(ws, tmp_path):
    page = write(tmp_path / "plain.ipynb", "n: int = 1", EMIT + "emit(twice=2 * n)")
    program = (
        "import sys\nfrom mlops_nb.pipeline import Step, run\n"
        "from mlops_nb.workspace import open_workspace\n"
        "print(run(open_workspace(sys.argv[1]), [Step('plain', sys.argv[2])]).id)\n"
        "assert not {'mlflow', 'torch', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ws.root), str(page)],
        env=os.environ | {"MLOPS_NB_TRACK": "live"},
        capture_output=True,
        text=True,
        check=True,
    )
    state, until = ws.path("tracking"), time.monotonic() + 180
    while not list(state.glob("*.json")) or len(runs_in(ws)) < 2:
        assert time.monotonic() < until, (state / "live.log").read_text()
        time.sleep(0.2)
    assert mirror(ws).told == 0  # waits for its turn: the other has ended
    assert told(ws, done.stdout.strip(), "plain").data.metrics["twice"] == 2
    assert (state / "live.log").read_text() == ""


def test_one_process_tells_and_one_waits_and_a_third_goes_home(copied):
    import fcntl

    ws, _ = copied
    with (ws.folder("tracking") / "waiting").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)
        assert keep_telling(ws) is None
    assert keep_telling(ws).told == 7


def test_the_setting_is_live_or_later(ws, tmp_path):
    page = write(tmp_path / "plain.ipynb", "n: int = 1", "n")
    odd = replace(ws, settings={"track": "never"})
    with pytest.raises(WorkspaceError, match="Write live, or later"):
        run(odd, [Step("plain", page)])
    assert not acts(ws, verb="pipeline")


# what differs


def test_two_runs_are_told_apart_by_code_parameters_data_results_and_status(copied):
    ws, (first, _, broken) = copied
    found = diff_runs(ws, first.id, broken.id)
    train, judge = found.steps
    assert train.parameters["epochs"] == (5, 8) and train.parameters["data"] == (
        "signs@1",
        "signs@2",
    )
    assert train.samples["data"] == {"added": 1, "removed": 0, "changed": 1, "class": 1}
    assert train.outputs["accuracy"] == (0.8, 0.875) and not train.cells
    assert train.metrics == {"loss": (0.2, 0.125)}
    assert "-LANES = 4\n+LANES = 5" in train.modules[0] and "diff" in train.origin
    assert judge.status == ("ran", "failed") and "ZeroDivisionError" not in judge.outputs
    assert "--- code cell 2\n+++ code cell 2" in judge.cells[0]
    assert "-emit(good=accuracy > 0.5, margin" in judge.cells[0]
    assert not train.packages and not train.same
    text, page = str(found), found._repr_markdown_()
    for said in (
        "epochs: 5 -> 8 (+3)",
        "(1 added, 0 removed, 1 changed, 1 class)",
        "ran -> failed",
    ):
        assert said in text and said in page
    assert "```diff\n--- code cell 2" in page


def test_a_run_from_the_cache_is_the_same_and_a_step_has_a_name_of_its_own(copied):
    ws, (first, again, broken) = copied
    same = diff_runs(ws, first.id, again.id)
    assert [step.same for step in same.steps] == [True, True] and "train: the same" in str(same)
    one = diff_runs(ws, f"{first.id[:16]}/train", f"{broken.id}/judge")
    assert [(step.before, step.after) for step in one.steps] == [("train", "judge")]
    with pytest.raises(RegistryError, match="did you mean `train`"):
        diff_runs(ws, f"{first.id}/tran", again.id)
    with pytest.raises(RegistryError, match="no run begins like this"):
        diff_runs(ws, "run:" + "0" * 32, again.id)
    with pytest.raises(RegistryError, match="Give more of its id"):
        diff_runs(ws, "run:", again.id)


def test_without_mlflow_the_ledger_is_enough(copied):
    ws, (first, _, broken) = copied
    ws.path("mlflow.db").unlink()
    found = diff_runs(ws, first.id, broken.id)
    assert found.steps[0].metrics == {} and found.note == "" and not found.steps[0].same
    away = replace(ws, settings={"tracking_uri": "http://127.0.0.1:9"})
    assert "MLflow's metrics are not compared" in diff_runs(away, first.id, broken.id).note


def test_cells_that_moved_came_or_went_are_told_one_by_one():
    from mlops_nb.registry.differences import changed_cells

    def page(*cells: tuple[str | None, str | list[str]]) -> dict:
        made = [{"cell_type": "code", "metadata": {}, "source": text} for _, text in cells]
        named = zip(cells, made, strict=True)
        made = [cell | ({"id": name} if name else {}) for (name, _), cell in named]
        return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}

    before = page(("a", "x = 1"), ("b", "y = 2"), ("c", "z = 3"))
    after = page(("a", "x = 1"), ("new", "w = 0"), ("b", "y = 2.5"), ("c", "z = 3"))
    inserted, edited = changed_cells(before, after)
    assert inserted.startswith("--- nothing\n+++ code cell 2") and "+w = 0" in inserted
    assert edited.startswith("--- code cell 2\n+++ code cell 3") and "-y = 2\n+y = 2.5" in edited
    unnamed = page((None, "x = 1"), (None, "y = 2"))
    (found,) = changed_cells(unnamed, page((None, "x = 1"), (None, "y = 4")))
    assert "-y = 2\n+y = 4" in found
    assert changed_cells(before, before) == []
    lines = page(("a", ["x = ", "1"]), ("b", ["y = 2"]), ("c", "z = 3"))  # as files keep them
    assert changed_cells(before, lines) == []


def test_the_terminal_tells_the_difference_as_text_and_as_json(copied, capsys, monkeypatch):
    from mlops_nb.cli import main

    ws, (first, _, broken) = copied
    monkeypatch.setenv("MLOPS_NB_WORKSPACE", str(ws.root))
    main(["diff-runs", first.id, broken.id])
    assert "parameter epochs: 5 -> 8 (+3)" in capsys.readouterr().out
    main(["--json", "diff-runs", first.id, broken.id])
    found = json.loads(capsys.readouterr().out)
    assert found["steps"][0]["parameters"]["epochs"] == [5, 8]
    with pytest.raises(SystemExit, match="1"):
        main(["diff-runs", first.id, "run:ffffffff"])
    assert "no run begins like this" in capsys.readouterr().err


def test_a_model_is_registered_under_the_step_that_made_it(copied):
    "By its tags, whoever asks first: the register verb looks for the attempt, then for the whole."
    from mlops_nb.registry.tracking import mlflow_for
    from mlops_nb.registry.versions import _run_that_made

    ws, (first, *_) = copied
    mirror(ws)
    with mlflow_for(ws, "look") as (_, client):
        found = _run_that_made(ws, client, first.id, BUNDLE)
        other = _run_that_made(ws, client, first.id, "bundle:" + "c" * 64)
    assert found == told(ws, first.id, "train").info.run_id
    assert other == told(ws, first.id).info.run_id

"Runs and versions in MLflow, on SQLite and on a real server; aliases that move only when approved."

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlops_nb.ledger import acts, approve, propose, reject
from mlops_nb.registry import (
    fetch_bundle,
    models,
    promote,
    register,
    resolve_model,
    rollback,
    track,
    tracking_uri,
)
from mlops_nb.workspace import RegistryError, open_workspace

# Our own verbs silence MLflow; what a test calls of MLflow itself, and torch's exporter, may warn.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
PASSED = {"id": "decision:" + "a" * 64, "verdict": "pass"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    "Three of the smallest models there can be."
    import torch

    from mlops_nb.model import export

    folder, made = tmp_path_factory.mktemp("bundles"), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(3):
            network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
            with torch.no_grad():
                network[1].weight.zero_()
                network[1].bias.copy_(torch.tensor([float(k), 1.0]))
            made.append(
                export(
                    network,
                    folder / str(k),
                    classes=["stop", "yield"],
                    size=(4, 4),
                    mean=[0.5] * 3,
                    std=[0.5] * 3,
                    example_images=[np.zeros((8, 8, 3), np.uint8)],
                    data="data:" + "d" * 64,
                    run=f"run:{str(k) * 32}",
                )
            )
    return made


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    "A workspace whose MLflow database is made; making one costs seconds."
    ws = open_workspace(tmp_path_factory.mktemp("registry") / "workspace")
    assert models(ws) == ()
    return ws


@pytest.fixture
def ws(empty, tmp_path):
    "A copy of it with a registry of its own."
    shutil.copytree(empty.root, tmp_path / "workspace")
    return open_workspace(tmp_path / "workspace")


def approved(ws, bundle, baseline=None, summary="Better.") -> str:
    asked = propose(
        ws,
        candidate=bundle.id,
        baseline=baseline and baseline.id,
        decision=PASSED,
        summary=summary,
        by="ana",
    )
    approve(ws, asked.id, by="ben")
    return asked.id


def client_of(ws):
    import mlflow

    return mlflow.MlflowClient(tracking_uri(ws), tracking_uri(ws))


def the_whole_story(ws, bundles):
    "Track, register, promote, roll back and fetch; the same calls on SQLite and on a server."
    import mlflow

    before = mlflow.get_tracking_uri()
    with track(ws, bundles[0].run, experiment="signs") as first:
        mlflow.log_metric("accuracy", 0.9)
    with track(ws, bundles[0].run, experiment="signs") as again:
        assert again.info.run_id == first.info.run_id and again.data.metrics == {"accuracy": 0.9}
    assert mlflow.get_tracking_uri() == before

    one = register(ws, bundles[0], name="signs", by="ana")
    two = register(ws, bundles[1].folder, name="signs", by="ana")
    assert (one.version, two.version) == (1, 2) and one.bundle_id == bundles[0].id
    assert register(ws, one.bundle_id, name="signs") == one

    promote(ws, "signs", one, "staging", proposal=approved(ws, bundles[0]))
    promote(ws, "signs", 2, "staging", proposal=approved(ws, bundles[1], bundles[0]))
    assert resolve_model(ws, "signs@staging").version == 2
    assert rollback(ws, "signs", "staging", by="cem").version == 1
    assert [(m.version, m.aliases) for m in models(ws)] == [(2, ()), (1, ("staging",))]

    seen = client_of(ws).get_model_version_by_alias("signs", "staging")
    assert seen.tags["mlops_nb.bundle"] == bundles[0].id and seen.run_id == first.info.run_id
    shutil.rmtree(ws.root / "bundles")
    assert json.loads((fetch_bundle(ws, "signs@staging") / "bundle.json").read_text())
    assert fetch_bundle(ws, two).name == bundles[1].id.removeprefix("bundle:")


def test_the_whole_story_on_sqlite(ws, bundles):
    the_whole_story(ws, bundles)
    assert {"mlflow.db", "mlartifacts"} <= {path.name for path in ws.root.iterdir()}


def test_the_whole_story_on_a_server(empty, tmp_path, bundles):
    shutil.copy(empty.root / "mlflow.db", tmp_path / "server.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'server.db'}"]
    command += ["--artifacts-destination", str(tmp_path / "artefacts")]
    quiet = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    quiet |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # a second server, for GenAI jobs
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, env=quiet, start_new_session=True
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/health", server, tmp_path / "server.log")
        ws = open_workspace(tmp_path / "workspace")
        ws = replace(ws, settings={"tracking_uri": url})
        the_whole_story(ws, bundles)
        assert not (ws.root / "mlflow.db").exists()
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)
    with pytest.raises(RegistryError, match=r"MLflow at http://127.* could not look up signs@1"):
        resolve_model(ws, "signs@1")


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text()}")


# who may move an alias


def test_nothing_moves_without_a_passed_decision_and_an_approval(ws, bundles):
    register(ws, bundles[0], name="signs")
    register(ws, bundles[1], name="signs")
    asked = propose(ws, candidate=bundles[0].id, decision=PASSED, summary="First.", by="ana").id
    failed = PASSED | {"id": "decision:" + "b" * 64, "verdict": "not_enough_evidence"}
    poor = propose(ws, candidate=bundles[0].id, decision=failed, summary="Poor.", by="ana").id
    bad = [
        ({"proposal": asked}, "is not approved. Somebody else than ana has to"),
        ({"proposal": poor}, "is 'not_enough_evidence'. ana has to bring evidence"),
        ({"proposal": "prop:" + "0" * 64}, "not a proposal"),
        ({"version": 2, "proposal": asked}, "Pass the version that was proposed"),
        ({"alias": "prod", "proposal": asked}, "Use staging or production"),
        ({"version": 7, "proposal": asked}, "signs@7 is not in the registry"),
    ]
    for changed, reason in bad:
        asking = {"version": 1, "alias": "staging"} | changed
        with pytest.raises(RegistryError, match=reason):
            promote(ws, "signs", asking["version"], asking["alias"], proposal=asking["proposal"])
    reject(ws, asked, by="ben", comment="Too slow.")
    with pytest.raises(RegistryError, match="was rejected"):
        promote(ws, "signs", 1, "staging", proposal=asked)
    assert not acts(ws, verb="promote") and resolve_model(ws, "signs@1").aliases == ()


def test_a_proposal_moves_an_alias_once(ws, bundles):
    for bundle in bundles:
        register(ws, bundle, name="signs")
    first = approved(ws, bundles[0])
    promote(ws, "signs", 1, "staging", proposal=first)
    second = approved(ws, bundles[1], bundles[0])
    promote(ws, "signs", 2, "staging", proposal=second)
    promote(ws, "signs", 1, "staging", proposal=first)  # as a job that is repeated would
    assert resolve_model(ws, "signs@staging").version == 2 and len(acts(ws, verb="promote")) == 2
    promote(ws, "signs", 1, "production", proposal=first)
    assert resolve_model(ws, "signs@1").aliases == ("production",)
    stale = approved(ws, bundles[2], bundles[0])
    with pytest.raises(
        RegistryError, match="Compare the candidate with the model it would replace"
    ):
        promote(ws, "signs", 3, "staging", proposal=stale)


def test_rolling_back_goes_step_by_step_and_ends(ws, bundles):
    chain = zip(bundles, [None, *bundles], strict=False)
    tickets = [approved(ws, bundle, baseline) for bundle, baseline in chain]
    for number, bundle in enumerate(bundles):
        version = register(ws, bundle, name="signs")
        promote(ws, "signs", version, "staging", proposal=tickets[number])
    assert [rollback(ws, "signs", "staging").version for _ in range(2)] == [2, 1]
    with pytest.raises(RegistryError, match="none to return"):
        rollback(ws, "signs", "staging")
    with pytest.raises(RegistryError, match="rolled staging back from signs@3"):
        promote(ws, "signs", 3, "staging", proposal=tickets[2])


def test_a_move_that_was_recorded_and_not_carried_out_is_carried_out(ws, bundles):
    for bundle in bundles[:2]:
        register(ws, bundle, name="signs")
    first, second = approved(ws, bundles[0]), approved(ws, bundles[1], bundles[0])
    promote(ws, "signs", 1, "staging", proposal=first)
    promote(ws, "signs", 2, "staging", proposal=second)
    client_of(ws).set_registered_model_alias("signs", "staging", "1")  # as after a crash
    promote(ws, "signs", 2, "staging", proposal=second)
    assert resolve_model(ws, "signs@staging").version == 2
    rollback(ws, "signs", "staging")
    client_of(ws).set_registered_model_alias("signs", "staging", "2")
    assert rollback(ws, "signs", "staging").version == 1 and len(acts(ws, verb="rollback")) == 1


# what is kept


def test_an_artefact_altered_in_mlflow_is_refused(ws, bundles):
    version = register(ws, bundles[0], name="signs")
    shutil.rmtree(ws.root / "bundles")
    model = next((ws.root / "mlartifacts").rglob("model.onnx"))
    model.write_bytes(model.read_bytes() + b"x")
    with pytest.raises(Exception, match="model.onnx"):
        fetch_bundle(ws, version)
    assert not list(ws.root.glob("bundles/*"))


def test_a_failing_run_is_marked_and_names_are_checked(ws, bundles):
    with pytest.raises(ZeroDivisionError), track(ws, "run:" + "e" * 32) as run:
        1 / 0  # noqa: B018
    assert client_of(ws).get_run(run.info.run_id).info.status == "FAILED"
    with pytest.raises(RegistryError, match="not a run id"), track(ws, "run-7"):
        pass
    with pytest.raises(RegistryError, match="cannot name a model"):
        register(ws, bundles[0], name="signs/day")
    for ref, reason in [("signs", "names no version"), ("signs@staging", "no version of signs")]:
        with pytest.raises(RegistryError, match=reason):
            resolve_model(ws, ref)


def test_a_user_sees_no_word_of_the_guests(tmp_path):
    code = (
        "import sys, mlops_nb.registry as r, mlops_nb.workspace as w\n"
        "assert 'mlflow' not in sys.modules\n"
        "ws = w.open_workspace(sys.argv[1]); r.models(ws)\n"
        "with r.track(ws, 'run:' + '1' * 32): pass"
    )
    command = [sys.executable, "-W", "default", "-c", code, str(tmp_path / "ws")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("", "")

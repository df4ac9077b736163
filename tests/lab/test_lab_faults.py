"Whatever is sent, and whatever lies in the workspace: an answer that says what to do, and a server that goes on."

import json
import os
import shutil
import socket
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import websocket
import worlds
from servers import TOKEN, begins, fits, jupyter, operations

from mlops_nb.ledger import record
from mlops_nb.workspace import open_workspace

CHANGED = "https://events.mlops-nb.org/changed/v1"
WRONG = ["", " ", "nobody", "nobody@v9", "signs@v9", "run:" + "0" * 32, "job:" + "0" * 32,
         "blob:" + "0" * 64, "bundle:" + "0" * 64, "run:../../../../etc", "job:../../../../etc",
         "../../../../etc/passwd", "/etc/passwd", "..", "a\0b", "\ud800", "%2e%2e%2f", "x" * 5_000,
         "'; drop table ledger_acts", "$(touch here)"]  # fmt: skip
EMPTY = {("decisions", "get"), ("jobs", "get")}  # a bundle nobody judged has none; all jobs, for ""


@pytest.fixture(scope="module")
def server(folder, failed):
    worlds.dataset(open_workspace(folder / "work" / ".mlops"), folder / "images")
    with jupyter(folder) as running:
        yield running


@pytest.fixture
def ws(server):
    return open_workspace(server.root / ".mlops")


def body_of(document, route):
    said = document["paths"][f"/{route}"]["post"]["requestBody"]
    return said["content"]["application/json"]["schema"]


def filled(shape, text):
    "A value of a shape in which every text is this one."
    shape = shape.get("anyOf", [shape])[0]
    if shape["type"] == "object":
        return {name: filled(one, text) for name, one in shape.get("properties", {}).items()}
    if shape["type"] == "array":
        return [filled(shape["items"], text)]
    return text if shape["type"] == "string" else 7


def refused(answer, route, method, document):
    "What is said of a refusal: in the shape of the document, in words, and nobody's traceback."
    assert 400 <= answer.status_code < 500, (route, answer.status_code, answer.text)
    said = fits(document, route, method, answer)["message"]
    assert len(said) > 20 and "Errno" not in said and "Traceback" not in said, (route, said)
    return said


@contextmanager
def listening(server):
    "A page that listens to Jupyter's event bus."
    url = f"{server.url.replace('http', 'ws', 1)}api/events/subscribe?token={TOKEN}"
    socket = websocket.create_connection(url, timeout=20)
    yield socket
    socket.close()


def hears(socket, topic, id=""):
    "The next event about that."
    end = time.monotonic() + 60
    while time.monotonic() < end:
        event = json.loads(socket.recv())
        if event["schema_id"] == CHANGED and (event["topic"], event["id"]) == (topic, id):
            return event
    raise AssertionError(f"nothing was told about {topic} {id}")


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_wrong_text_in_any_field_is_refused_with_a_remedy(server, document, text):
    "Nothing is made of it anywhere, and nobody has to look into the log."
    said, before = len(server.log.read_text()), {*server.root.parent.rglob("*here*")}
    for route, method in operations(document):
        asked = document["paths"][f"/{route}"][method].get("parameters", [])
        if method == "post":
            body = json.dumps(filled(body_of(document, route), text))
            answer = server.client.post(f"mlops-nb/{route}", content=body)
        elif asked and text.isprintable():
            answer = server.get(route, **{one["name"]: text for one in asked})
        else:
            continue
        if (route, method) in EMPTY and answer.is_success:
            assert text == "" or answer.json() == []
        else:
            refused(answer, route, method, document)
    assert "Traceback" not in server.log.read_text()[said:]
    assert {*server.root.parent.rglob("*here*")} == before


def test_a_body_of_another_shape_is_refused_with_the_name_of_the_field(server, document):
    for route in [path for path, method in operations(document) if method == "post"]:
        shape = body_of(document, route)
        whole = filled(shape, "signs")
        for raw in (b"", b"{", b"[]", b"3", b"null", b'"text"', b"\xff", b"[" * 3_000):
            refused(server.client.post(f"mlops-nb/{route}", content=raw), route, "post", document)
        wrong = {"unheard": whole | {"unheard": 1}}
        wrong |= {name: whole | {name: [3.5]} for name in whole}
        wrong |= {name: {k: v for k, v in whole.items() if k != name} for name in shape["required"]}
        for name, body in wrong.items():
            assert name in refused(server.post(route, body), route, "post", document), (route, body)
    for route in [path for path, method in operations(document) if method == "get"]:
        for one in document["paths"][f"/{route}"]["get"].get("parameters", []):
            if one["required"]:
                assert one["name"] in refused(server.get(route), route, "get", document)


def test_no_path_leads_out_of_what_is_served(server, document):
    for path in (
        "../out.ipynb",
        "a/../../out.ipynb",
        "/../out.ipynb",
        "a\0.ipynb",
        "x" * 300 + ".ipynb",
    ):
        refused(server.post("templates", {"name": "train", "path": path}), "templates", "post", document)  # fmt: skip
        if len(path) < 255:  # of that a job says it
            job = {"verb": "run", "arguments": {"notebook": path}}
            refused(server.post("jobs", job), "jobs", "post", document)
    (server.root / "way-out").symlink_to(server.root.parent)
    for route, body in (("templates", {"name": "train", "path": "way-out/out.ipynb"}),
                        ("jobs", {"verb": "run", "arguments": {"notebook": "way-out/o.ipynb"}})):  # fmt: skip
        assert server.post(route, body).status_code == 403
    assert server.get("schema", notebook="way-out/out.ipynb").status_code == 403
    assert not list(server.root.parent.glob("*.ipynb"))


def test_whom_the_authorizer_refuses_sees_and_does_nothing(document, tmp_path):
    "FiftyOne too, which would hand out pictures."
    (tmp_path / "nobody_may.py").write_text(
        "from jupyter_server.auth import Authorizer\n"
        "class NobodyMay(Authorizer):\n"
        "    def is_authorized(self, handler, user, action, resource):\n"
        "        return resource != 'mlops-nb'\n"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    option = "--ServerApp.authorizer_class=nobody_may.NobodyMay"
    with jupyter(tmp_path, option, environ={"PYTHONPATH": paths}) as server:
        for route, method in operations(document):
            assert server.client.request(method, f"mlops-nb/{route}").status_code == 403, route
        assert server.get("browse/datasets/signs").status_code == 403
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"):
            answer = server.client.request(method, f"mlops-nb/browse/{'A' * 60}/media")
            assert answer.status_code == 403, method


def test_no_cookie_alone_changes_anything(server, document):
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        browser.get("", params={"token": TOKEN})
        assert browser.get("mlops-nb/status").is_success
        for route in [path for path, method in operations(document) if method == "post"]:
            body = filled(body_of(document, route), "signs")
            answer = browser.post(f"mlops-nb/{route}", json=body)
            assert answer.status_code == 403 and "_xsrf" in answer.text, route


def test_a_broken_job_is_left_out(server, document, ws):
    whole = begins(ws, "done")
    broken = ['{"id": 3}', "[]", '"text"', "{", "", "null", '{"process": 3}', "\0"]
    names = []
    for text in broken:
        names.append(uuid.uuid4().hex)
        (ws.folder("jobs", names[-1]) / "job.json").write_text(text)
    ws.folder("jobs", uuid.uuid4().hex, "job.json")
    with listening(server) as socket:
        known = fits(document, "jobs", "get", server.get("jobs"))
        assert whole in [one["id"] for one in known]
        assert not {one["id"].removeprefix("job:") for one in known} & {*names}
        for name in names:
            refused(server.get("jobs", id=f"job:{name}"), "jobs", "get", document)
            stop = server.post("jobs/stop", {"id": f"job:{name}"})
            refused(stop, "jobs/stop", "post", document)
        assert server.get("status").is_success
        hears(socket, "job", begins(ws))


def test_a_corrupted_run_is_left_out(server, document, ws, failed):
    intact = ws.path("runs", failed.id.removeprefix("run:"))
    damages = {"run.json": ["[]", "{", "", '{"id": 3}', '{"steps": 3}', "null", "\0"],
               "events.jsonl": ["[]\n", "null\n", '{"event": 3}\n', "{\n", "\0\n", None]}  # fmt: skip
    names = []
    for file, texts in damages.items():
        for text in texts:
            names.append(uuid.uuid4().hex)
            copy = Path(shutil.copytree(intact, ws.path("runs", names[-1])))
            said = json.loads((copy / "run.json").read_text())
            (copy / "run.json").write_text(json.dumps(said | {"id": f"run:{names[-1]}"}))
            (copy / file).unlink() if text is None else (copy / file).write_text(text)
    with listening(server) as socket:
        known = fits(document, "runs", "get", server.get("runs"))
        assert failed.id in [one["id"] for one in known]
        for name in names:
            asked = {"id": f"run:{name}", "step": "judge"}
            for route in ("runs/log", "runs/page"):
                answer = server.get(route, **asked)
                assert answer.is_success or refused(answer, route, "get", document)
            for route in ("runs/cancel", "runs/resume"):
                answer = server.post(route, {"id": asked["id"]})
                assert answer.is_success or refused(answer, route, "post", document)
        hears(socket, "job", begins(ws))


def test_a_list_is_kept_for_the_next_start(server, document, ws):
    listed = server.get("datasets").json()
    assert listed[0]["name"] == "signs"
    path, end = ws.path("cache", "lists", "datasets.json"), time.monotonic() + 60
    while not (path.exists() and json.loads(path.read_text())["value"] == listed):
        assert time.monotonic() < end, "it is not kept"
        time.sleep(0.05)
    assert fits(document, "kept", "get", server.get("kept", of="datasets"))["value"] == listed
    whole = json.loads(path.read_text())
    for damaged in ("", "{", "[]", "null", json.dumps(whole | {"value": 3}),
                    json.dumps(whole | {"version": "0.0.1"})):  # fmt: skip
        path.write_text(damaged)
        answer = server.get("kept", of="datasets")
        assert answer.is_success and answer.json() is None, damaged
    refused(server.get("kept", of="../../ledger"), "kept", "get", document)


def test_settings_that_cannot_be_read_are_told_until_they_are_mended(server, document, ws):
    with listening(server) as socket:
        settings = ws.root / "workspace.toml"
        settings.write_text("actor = ")
        for route in ("status", "runs", "datasets", "deployments"):
            assert "Mend that line" in refused(server.get(route), route, "get", document)
        time.sleep(1.5)  # the watcher has looked meanwhile
        settings.unlink()
        assert server.get("status").is_success
        hears(socket, "job", begins(ws))


def test_an_odd_deployment_hides_no_other_news(server, ws):
    odd = ws.folder("deployments", "odd")
    with listening(server) as socket:
        lacks_url = json.dumps({"name": "odd", "pid": 4_194_303, "instance": "i",
                                "bundle_id": "bundle:" + "a" * 64, "started_at": "2026-01-31"})  # fmt: skip
        for text in ("[]", "{", '{"pid": "x"}', lacks_url):
            (odd / "deployment.json").write_text(text)
            hears(socket, "staging")
            record(ws, "note", by="ann")
            hears(socket, "data")
            assert server.get("deployments").json() == []
        shutil.rmtree(odd)
        hears(socket, "staging")


def test_listeners_that_vanish_take_nothing_from_the_others(server, ws):
    with listening(server) as stays:
        gone = []
        for k in range(12):
            with listening(server) as socket:
                gone.append(socket.sock.detach())  # no goodbye
            if k % 2:
                os.close(gone.pop())
            assert hears(stays, "job", begins(ws))
        for one in gone:
            os.close(one)
        assert hears(stays, "job", begins(ws))


def test_a_workspace_that_is_removed_begins_anew(document, tmp_path):
    with jupyter(tmp_path) as server:
        ws = open_workspace(server.root / ".mlops")
        with listening(server) as socket:
            hears(socket, "job", begins(ws))
            assert server.get("status").json()["running"] == 1
            shutil.rmtree(ws.root)
            assert server.get("status").json()["workspace"] is None
            for route, method in operations(document):
                said = document["paths"][f"/{route}"][method]
                if method == "get":
                    asked = {one["name"]: "signs" for one in said.get("parameters", [])}
                    answer = server.get(route, **asked)
                    assert answer.is_success or refused(answer, route, method, document)
            again = open_workspace(ws.root)
            hears(socket, "job", begins(again))
            record(again, "note", by="ann")
            hears(socket, "data")
            assert server.get("status").json()["running"] == 1


# Root may write everywhere; without two capabilities it is a user like others.
AS_OTHERS = (
    "import ctypes, os, sys\n"
    "for capability in (1, 2): ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "os.execv(sys.executable, [sys.executable, '-m', 'jupyter_server', *sys.argv[1:]])"
)


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_workspace_that_may_only_be_read_is_shown_and_says_so(document, tmp_path):
    ws = open_workspace(tmp_path / "work" / ".mlops")
    begins(ws, "done")
    every = [ws.root, *ws.root.rglob("*")]
    for one in every:
        one.chmod(0o555 if one.is_dir() else 0o444)
    with jupyter(tmp_path, command=("-c", AS_OTHERS)) as server:
        assert len(fits(document, "jobs", "get", server.get("jobs"))) == 1
        assert server.get("status").is_success and server.get("datasets").json() == []
        for route in ("models", "deployments"):  # there is no ledger yet
            refused(server.get(route), route, "get", document)
        job = server.post("jobs", {"verb": "validate", "arguments": {"ref": "signs"}})
        assert "may write" in refused(job, "jobs", "post", document) and job.status_code == 403
        assert server.post("templates", {"name": "train", "path": "mine.ipynb"}).is_success
    for one in every:
        one.chmod(0o755)


def test_a_tracking_server_that_hangs_takes_nothing_else_with_it(tmp_path):
    open_workspace(tmp_path / "work" / ".mlops")
    with socket.create_server(("127.0.0.1", 0)) as deaf, ThreadPoolExecutor(20) as pages:
        uri = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        hurry = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "3", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        with jupyter(tmp_path, environ=hurry | {"MLOPS_NB_TRACKING_URI": uri}) as server:
            asked = [pages.submit(server.get, "models") for _ in range(12)]
            for _ in range(5):
                said = server.client.get("mlops-nb/status", timeout=10)
                assert said.is_success and server.get("runs").json() == []
                time.sleep(0.5)
            assert {one.result().status_code for one in asked} == {400}
            assert {one.result().json()["kind"] for one in asked} == {"RegistryError"}

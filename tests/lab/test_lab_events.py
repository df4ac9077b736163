"What changes is told to whoever listens, whoever did it; nothing of it is lost."

import json
import os
import platform
import time
import uuid
from dataclasses import replace
from datetime import datetime

import pytest
import websocket
from servers import TOKEN, jupyter, page

from mlops_nb.jobs import watch_job
from mlops_nb.ledger import record
from mlops_nb.pipeline import Step, run
from mlops_nb.pipeline.runs import Run, StepRun, begin, folder_of, now, tell, write_state
from mlops_nb.workspace import open_workspace

CHANGED = "https://events.mlops-nb.org/changed/v1"


@pytest.fixture(scope="module")
def server(folder, failed):
    with jupyter(folder) as running:
        yield running


@pytest.fixture
def ws(server):
    "The workspace of the server, opened by somebody else."
    return open_workspace(server.root / ".mlops")


def listen(server):
    "A page that listens to Jupyter's event bus."
    url = f"{server.url.replace('http', 'ws', 1)}api/events/subscribe?token={TOKEN}"
    return websocket.create_connection(url, timeout=20)


def heard(socket, topic, until):
    "What is told about a topic until a state is as it should be; the last one is."
    states, end = [], time.monotonic() + 60
    while not states or not until(states[-1]):
        assert time.monotonic() < end, states[-1:]
        event = json.loads(socket.recv())
        if event["schema_id"] == CHANGED and event["topic"] == topic:
            states.append(event["state"])
    return states


class Begun:
    "A run that goes on in this very process, told by the functions every runner tells with."

    def __init__(self, ws, root):
        (root / "train.ipynb").write_text(page("1"))
        process = (platform.node(), os.getpid())
        parts = (StepRun("train", "running"),)
        self.ws, self.id = ws, f"run:{uuid.uuid4().hex}"
        self.run = Run(self.id, parts, by="eve", began_at=now(), process=process)
        begin(ws, self.run, [Step("train", root / "train.ipynb")])

    def step(self, cells, of):
        facts = {"status": "running", "cells": cells, "of": of}
        tell(self.ws, self.id, "step", step="train", seconds=1.0, error=None, made_by=None, **facts)

    def end(self):
        over = replace(self.run, status="ran", steps=(StepRun("train", "ran"),), ended_at=now())
        write_state(self.ws, over)
        tell(self.ws, self.id, "run", status="ran", by="eve", stopped_by="")


def test_a_run_of_another_process_is_told(server, ws):
    "Begun here as in a terminal: the server only sees its files."
    socket = listen(server)
    (server.root / "other.ipynb").write_text(page("1 + 1"))
    done = run(ws, [Step("other", server.root / "other.ipynb")])
    states = heard(socket, "run", lambda one: one["id"] == done.id and one["status"] == "ran")
    assert states[-1]["steps"][0]["status"] == "ran"
    assert states[-1] in server.get("runs").json()
    socket.close()


def test_a_flood_of_events_loses_no_last_state(server, ws):
    "1,000 lines in two seconds are at most ten states a second, the newest each time, and the last of all."
    socket, going = listen(server), Begun(ws, server.root)
    for cells in range(1, 1001):
        going.step(cells, 1000)
        time.sleep(0.002)
    going.end()
    states = heard(socket, "run", lambda one: one["id"] == going.id and one["status"] == "ran")
    lines = [one["lines"] for one in states]
    assert lines == sorted(set(lines)) and lines[-1] == 1002
    began, ended = (datetime.fromisoformat(states[-1][at]) for at in ("began_at", "ended_at"))
    after_a_click = 4  # looks within a tenth of a second, if somebody before us clicked just now
    assert 2 <= len(states) <= (ended - began).total_seconds() * 10 + 3 + after_a_click
    assert states[-1]["steps"][0]["cells"] == 1000
    socket.close()


def test_a_page_that_comes_back_has_everything(server, ws):
    "Listen first, then ask for the snapshot: between the two nothing falls through."
    first, going = listen(server), Begun(ws, server.root)
    going.step(3, 10)
    heard(first, "run", lambda one: one["id"] == going.id and one["steps"][0]["cells"] == 3)
    first.close()
    going.step(7, 10)
    second = listen(server)
    known = next(one for one in server.get("runs").json() if one["id"] == going.id)
    assert known["steps"][0]["cells"] == 7 and known["lines"] == 3
    going.end()
    last = heard(second, "run", lambda one: one["id"] == going.id and one["status"] == "ran")[-1]
    assert last["lines"] == 4
    second.close()


def test_a_page_can_tell_that_it_missed_something(server, ws):
    "Events are counted, and the status says how many there were."
    socket, going = listen(server), Begun(ws, server.root)
    numbers = []
    for cells in range(3):
        going.step(cells, 10)
        while True:
            event = json.loads(socket.recv())
            if event["schema_id"] == CHANGED:
                numbers.append(event["number"])
                if event["topic"] == "run" and event["state"]["steps"][0]["cells"] == cells:
                    break
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    socket.close()
    going.end()
    again = listen(server)
    (server.root / "after.ipynb").write_text(page("1"))
    after = run(ws, [Step("after", server.root / "after.ipynb")])
    heard(again, "run", lambda one: one["id"] == after.id and one["status"] == "ran")
    told = server.get("status").json()["told"]
    assert told["start"] == event["start"] and told["number"] > numbers[-1]
    again.close()


def test_a_runner_that_is_killed_is_told(server, ws):
    socket, going = listen(server), Begun(ws, server.root)
    heard(socket, "run", lambda one: one["id"] == going.id)
    nobody = 2**22 + 1  # no process has that number
    write_state(ws, replace(going.run, process=(platform.node(), nobody)))
    last = heard(socket, "run", lambda one: one["id"] == going.id and one["status"] == "failed")[-1]
    assert "killed" in last["steps"][0]["error"]
    socket.close()


def test_an_odd_file_does_not_end_the_others(server, ws):
    socket = listen(server)
    odd = ws.folder("runs", uuid.uuid4().hex)
    (odd / "events.jsonl").write_text('{"event": "begin"}\nnot json\n')
    (odd / "run.json").write_text('{"id": 3, "steps": [{}]}')
    going = Begun(ws, server.root)
    going.end()
    heard(socket, "run", lambda one: one["id"] == going.id and one["status"] == "ran")
    assert going.id in [one["id"] for one in server.get("runs").raise_for_status().json()]
    socket.close()


def test_a_job_is_begun_told_and_outlives_the_server(folder, tmp_path):
    "The page and the server go away; the job does not, and the next server knows how it ended."
    with jupyter(tmp_path) as server:
        (server.root / "slow.ipynb").write_text(
            page("import time; time.sleep(n)", "print('done')", parameters="n: float = 0.0")
        )
        socket = listen(server)
        wanted = {"verb": "run", "arguments": {"notebook": "slow.ipynb", "parameters": {"n": 3.0}}}
        answer = server.post("jobs", wanted)
        job = answer.json()
        assert answer.status_code == 202 and job["status"] == "running" and job["by"] == "ann"
        told = heard(socket, "job", lambda one: one["id"] == job["id"] and one["run"])
        heard(socket, "run", lambda one: one["id"] == told[-1]["run"])
        assert server.get("status").json()["running"] >= 1
        socket.close()
    ws = open_workspace(server.root / ".mlops")
    *_, ended = watch_job(ws, job["id"])
    assert ended.status == "done", ended.error
    with jupyter(tmp_path) as server:
        [again] = server.get("jobs", id=job["id"]).json()
        assert again["status"] == "done" and again["run"] == told[-1]["run"]
        [known] = server.get("runs").json()
        assert known["id"] == again["run"] and known["status"] == "ran"
        assert server.get("runs/log", id=known["id"], step="slow").json()["text"] == "done"


def test_a_job_that_cannot_work_is_refused_and_one_that_runs_is_stopped(server):
    bad = server.post("jobs", {"verb": "validat", "arguments": {}})
    assert bad.status_code == 400 and "did you mean" in bad.json()["message"]
    outside = {"verb": "run", "arguments": {"notebook": "../../outside.ipynb"}}
    assert server.post("jobs", outside).status_code == 403
    assert server.get("jobs", id="job:" + "0" * 32).status_code == 404
    (server.root / "long.ipynb").write_text(page("import time; time.sleep(60)"))
    socket = listen(server)
    job = server.post("jobs", {"verb": "run", "arguments": {"notebook": "long.ipynb"}}).json()
    heard(socket, "job", lambda one: one["id"] == job["id"] and one["run"])
    assert server.post("jobs/stop", {"id": job["id"]}).status_code == 200
    last = heard(socket, "job", lambda one: one["id"] == job["id"] and one["status"] != "running")[
        -1
    ]
    assert last["status"] == "stopped" and last["stopped_by"] == "ann"
    again = server.post("jobs/stop", {"id": job["id"]})
    assert again.status_code == 400 and "ended already" in again.json()["message"]
    socket.close()


def test_a_step_tells_while_its_cell_goes_on_and_a_job_has_a_log(server, ws):
    go = server.root / "go"
    (server.root / "epochs.ipynb").write_text(
        page(
            f"import pathlib, time\nprint('epoch 1')\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)"
        )
    )
    job = server.post("jobs", {"verb": "run", "arguments": {"notebook": "epochs.ipynb"}}).json()
    assert job["arguments"]["notebook"] == "epochs.ipynb"  # as a page knows it
    begun = next(one for one in watch_job(ws, job["id"]) if one.run)
    end = time.monotonic() + 60
    while server.get("runs/log", id=begun.run, step="epochs").json().get("text") != "epoch 1":
        assert time.monotonic() < end, "nothing was shown before the cell ended"
        time.sleep(0.1)
    state = next(one for one in server.get("runs").json() if one["id"] == begun.run)
    assert state["status"] == "running"
    go.touch()
    *_, ended = watch_job(ws, job["id"])
    assert ended.status == "done", ended.error
    assert server.get("jobs/log", id=job["id"]).json()["text"] is not None
    (ws.path("jobs", job["id"][4:]) / "log").write_text("\x1b[31m10 %\r100 %\nTraceback\n")
    assert server.get("jobs/log", id=job["id"]).json()["text"] == "100 %\nTraceback\n"
    assert server.get("jobs/log", id="job:" + "0" * 32).status_code == 404


def test_a_step_that_was_stopped_did_not_fail(server, ws):
    (server.root / "longer.ipynb").write_text(page("import time; time.sleep(61)"))
    socket = listen(server)
    server.post("jobs", {"verb": "run", "arguments": {"notebook": "longer.ipynb"}})

    def at(one):
        return [(step["name"], step["status"]) for step in one["steps"]]

    begun = heard(socket, "run", lambda one: at(one) == [("longer", "running")])[-1]
    assert server.post("runs/cancel", {"id": begun["id"]}).status_code == 200
    ended = heard(socket, "run", lambda one: one["id"] == begun["id"] and one["ended_at"])[-1]
    assert ended["status"] == "stopped" and at(ended) == [("longer", "stopped")]
    socket.close()


def sections(socket, until):
    "Sections that are told, up to one."
    told = []
    while until not in told:
        event = json.loads(socket.recv())
        if event["schema_id"] == CHANGED and event["topic"] not in ("run", "job"):
            told.append(event["topic"])
    return told


def silent(socket):
    "Until nothing is told any more; a section is held back for two seconds at most."
    socket.settimeout(4)
    with pytest.raises(websocket.WebSocketTimeoutException):
        while True:
            socket.recv()
    socket.settimeout(20)


def test_an_act_tells_the_sections_it_concerns(server, ws):
    record(ws, "note", by="eve")
    socket = listen(server)
    record(ws, "note", by="eve")
    silent(socket)
    record(ws, "tag", by="eve")
    assert sections(socket, "data") == ["data"]
    record(ws, "approve", by="eve")
    assert sections(socket, "models") == ["models"]
    record(ws, "browse", by="eve")
    record(ws, "page", by="eve")
    assert sections(socket, "staging") == ["staging"]
    socket.close()


def test_an_act_of_another_machine_is_told(postgresql, tmp_path):
    "Its files are elsewhere; the ledger is a server's."
    url = {"MLOPS_NB_LEDGER_URL": postgresql()}
    with jupyter(tmp_path, environ=url) as server:
        open_workspace(server.root / ".mlops")
        socket, elsewhere = listen(server), tmp_path / "elsewhere"
        there = replace(
            open_workspace(elsewhere), settings={"ledger_url": url["MLOPS_NB_LEDGER_URL"]}
        )
        for _ in range(2):  # once all are told, whatever happened before
            record(there, "approve", by="eve")
            told = sections(socket, "models")
        assert "data" not in told
        assert not list((server.root / ".mlops").glob("ledger*.db"))
        socket.close()


def test_a_password_reaches_the_notebook_and_nothing_that_is_kept_of_the_job(server, ws):
    (server.root / "secret.ipynb").write_text(
        page("print(len(password))\n1 / 0", parameters="password: str = 'as-written'  # of a store")
    )
    form = server.get("schema", notebook="secret.ipynb").json()["parameters"]
    asked = form["properties"]["password"]
    assert asked["format"] == "password" and "default" not in asked
    secret = "not for everybody"
    wanted = {"notebook": "secret.ipynb", "parameters": {"password": secret}}
    job = server.post("jobs", {"verb": "run", "arguments": wanted}).json()
    assert job["arguments"]["parameters"] == {"password": "[secret password]"}
    *_, ended = watch_job(ws, job["id"])
    assert ended.status == "failed" and "ZeroDivisionError" in ended.error
    assert server.get("runs/log", id=ended.run, step="secret").json()["text"].startswith("17")
    place = ws.path("jobs", job["id"][4:])
    assert not (place / "secret").exists()
    assert not [path for path in place.iterdir() if secret in path.read_text()]
    assert secret not in server.get("jobs").text + server.get("runs").text


def test_a_run_is_cancelled_and_resumed(server, ws, failed):
    "What failed is gone on with as a job; a run begun elsewhere is asked to stop."
    (server.root / "judge.ipynb").write_text(page("print(score)", parameters="score: float"))
    socket = listen(server)
    job = server.post("runs/resume", {"id": failed.id}).json()
    last = heard(socket, "job", lambda one: one["id"] == job["id"] and one["status"] != "running")[
        -1
    ]
    assert last["status"] == "done", last["error"]
    resumed = next(one for one in server.get("runs").json() if one["id"] == last["run"])
    assert resumed["parent"] == failed.id and resumed["steps"][0]["status"] == "cached"
    assert server.post("runs/cancel", {"id": failed.id}).status_code == 400
    assert server.post("runs/cancel", {"id": "run:" + "0" * 32}).status_code == 404
    going = Begun(ws, server.root)
    assert server.post("runs/cancel", {"id": going.id}).json()["status"] == "running"
    assert (folder_of(ws, going.id) / "stop").read_text() == "ann"
    going.end()
    socket.close()

"The process beside the server: it may die in the middle of a word, hang or be slow, and nobody waits for ever."

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager

import pytest
from servers import begins

from mlops_nb.lab import here as lab
from mlops_nb.lab.errors import Told
from mlops_nb.lab.events import Watcher
from mlops_nb.lab.place import Place
from mlops_nb.ledger import record
from mlops_nb.monitor import Alert, page
from mlops_nb.pipeline.runs import now
from mlops_nb.registry import models
from mlops_nb.workspace import RegistryError, open_workspace, put_blob

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def ws(tmp_path):
    return open_workspace(tmp_path / ".mlops")


@asynccontextmanager
async def server(folder):
    "What the Jupyter server keeps, with a worker that has imported what it needs."
    here = lab.Here(Place(folder))
    lab.warm(here)
    try:
        await here.warming
        yield here
    finally:
        await lab.end(here)


def test_killed_in_the_middle_of_an_answer_it_is_asked_again(ws, tmp_path):
    "The pipe holds half of a long answer, and others wait for theirs."
    long = put_blob(ws, b"x" * 190_000)

    async def asks():
        async with server(tmp_path) as here:
            first = here.worker._process
            waiting = [
                asyncio.create_task(here.worker.ask("texts:text", {"id": long}, again=True)),
                asyncio.create_task(here.worker.ask("staging:open_alerts", {}, again=True)),
            ]
            await asyncio.sleep(0)
            time.sleep(1.5)  # noqa: ASYNC251  # the loop is busy: nobody reads
            os.kill(first.pid, signal.SIGKILL)
            text, alerts = await asyncio.wait_for(asyncio.gather(*waiting), 60)
            assert len(text["text"]) > 1000 and alerts == 0
            assert here.worker._process is not first

    asyncio.run(asks())


def test_what_nobody_foresaw_is_told_with_its_place_for_the_log(ws, tmp_path):
    async def asks():
        async with server(tmp_path) as here:
            with pytest.raises(Told) as caught:
                await here.worker.ask("models:nothing_of_the_kind", {})
        assert caught.value.said.keys() == {"status", "message", "kind"}
        assert caught.value.said["status"] == 500 and "Traceback" in caught.value.trace

    asyncio.run(asks())


def test_a_slow_ledger_delays_the_number_of_alerts_and_loses_it_not(ws, tmp_path):
    alert = Alert("page", 64, "drive-3", "share", "stop", 0.3, 0.1, 0.001, 0.01,
                  "bundle:" + "0" * 64, "It snows.")  # fmt: skip

    async def asks():
        async with server(tmp_path) as here:
            assert (await lab.status(here, by="ann"))["alerts"] == 0
            page(ws, alert, deployment="staging", by="monitor")
            pid = here.worker._process.pid
            os.kill(pid, signal.SIGSTOP)
            try:
                for _ in range(3):
                    assert (await lab.status(here, by="ann"))["alerts"] == 0  # as it was known
                assert len(here.worker._asked) == 1
            finally:
                os.kill(pid, signal.SIGCONT)
            here.owed.clear()
            await here.asking
            assert here.owed == {"staging"}  # who did not wait is told to ask again
            assert (await lab.status(here, by="ann"))["alerts"] == 1

    asyncio.run(asks())


def test_a_ledger_that_is_away_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MLOPS_NB_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/x")
    open_workspace(tmp_path / ".mlops")

    async def asks():
        here = lab.Here(Place(tmp_path))
        try:
            told = []
            for _ in range(3):
                await here.tell_acts()
                told.append(sorted(here.owed))
                here.owed.clear()
            assert told == [["data", "models", "staging"], [], []]
            monkeypatch.delenv("MLOPS_NB_LEDGER_URL")
            await here.worker.end()
            for expected in (["data", "models", "staging"], []):
                await here.tell_acts()
                assert sorted(here.owed) == expected
                here.owed.clear()
        finally:
            await lab.end(here)

    asyncio.run(asks())


def test_of_a_workspace_that_appears_only_what_is_new_is_told(tmp_path):
    watcher = Watcher(lab.Here(Place(tmp_path)), failed=print)
    assert watcher.look() == []
    ws = open_workspace(tmp_path / ".mlops")
    record(ws, "note", by="eve")

    begins(ws, "done")
    new = {begins(ws), begins(ws, "done", began_at=now())}
    assert {event["id"] for event in watcher.look() if event["topic"] == "job"} == new


def test_the_password_of_a_tracking_server_is_in_no_message(ws, monkeypatch):
    monkeypatch.setenv("MLOPS_NB_TRACKING_URI", "http://ann:hunter22@127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match="could not") as caught:
        models(open_workspace(ws.root))
    assert "hunter22" not in str(caught.value) and "127.0.0.1" in str(caught.value)

"Data and models as the panel shows them, and what people do with them, by HTTP."

import os
import signal
import time
from dataclasses import asdict

import psutil
import pytest
import worlds
from servers import fits, jupyter

from mlops_nb.jobs import watch_job
from mlops_nb.ledger import acts
from mlops_nb.workspace import open_workspace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def bundles(folder):
    ws = open_workspace(folder / "work" / ".mlops")
    worlds.dataset(ws, folder / "photos")
    return worlds.models(ws, folder / "bundles")


@pytest.fixture(scope="module")
def server(folder, bundles):
    with jupyter(folder) as running:
        yield running


@pytest.fixture(scope="module")
def reviewer(folder, bundles, tmp_path_factory):
    home = tmp_path_factory.mktemp("ben")
    workspace = str(folder / "work" / ".mlops")
    with jupyter(
        home, environ={"MLOPS_NB_ACTOR": "ben", "MLOPS_NB_WORKSPACE": workspace}
    ) as running:
        yield running


def test_data_sets(server, document):
    [signs] = fits(document, "datasets", "get", server.get("datasets"))
    assert signs["name"] == "signs" and signs["tags"] == ["v1"] and signs["samples"] > 0
    assert signs["quarantined"] == 1 and signs["contract"] is False
    assert signs["checked"]["at"] and signs["checked"]["errors"] == 0
    newest = signs["versions"][0]
    assert newest["by"] == "ann" and newest["ref"] == "signs@v1"
    assert all(one["count"] > 0 and one["sentence"] for one in signs["findings"])


def test_the_quarantine_says_why(server, document):
    answer = server.get("datasets/quarantine", name="signs")
    [held] = fits(document, "datasets/quarantine", "get", answer)
    assert held["check"] == "A1" and "broken.png" in held["reason"] or held["reason"]
    wanted = {"name": "signs", "quarantine_id": held["id"], "reason": "It may stand."}
    refused = server.post("datasets/release", wanted)
    assert refused.status_code == 400 and refused.json()["kind"] == "DataError"
    assert "mend the file" in refused.json()["message"]
    assert server.get("datasets/quarantine", name="sings").status_code == 404


def test_tags_and_branches(server, document):
    forked = server.post("datasets/fork", {"ref": "signs@v1", "branch": "ann/night"})
    signs = fits(document, "datasets/fork", "post", forked)
    assert signs["branches"] == [{"name": "ann/night", "version": signs["branches"][0]["version"]}]
    tagged = server.post("datasets/tag", {"ref": "signs", "tag": "3"})
    assert tagged.status_code == 400 and "numbers name versions" in tagged.json()["message"]
    named = fits(
        document, "datasets/tag", "post", server.post("datasets/tag", {"ref": "signs", "tag": "v1"})
    )
    assert named["tags"] == ["v1"]


def ended(server, verb: str, arguments: dict) -> dict:
    "How a job ended that somebody began."
    begun = server.post("jobs", {"verb": verb, "arguments": arguments}).json()
    *_, last = watch_job(open_workspace(server.root / ".mlops"), begun["id"])
    return asdict(last)


def test_a_branch_is_compared_before_it_is_merged(server, document):
    server.post("datasets/fork", {"ref": "signs@v1", "branch": "ann/halves"}).raise_for_status()
    same = server.get("datasets/diff", before="signs", after="signs@ann/halves")
    told = fits(document, "datasets/diff", "get", same)
    assert told == {"added": 0, "removed": 0, "changed": 0, "fields": []}
    halves = {"name": "signs@ann/halves", "train": 0.5, "test": 0.5}
    assert ended(server, "split", halves)["status"] == "done"
    other = server.get("datasets/diff", before="signs", after="signs@ann/halves")
    told = fits(document, "datasets/diff", "get", other)
    assert told["changed"] and told["fields"] == [{"field": "split", "count": told["changed"]}]
    assert server.get("datasets/diff", before="signs", after="sings").status_code == 400


def test_a_folder_is_named_as_the_file_browser_names_it(server):
    escaped = {"folder": "../../etc", "name": "passwords"}
    job = ended(server, "ingest", escaped)
    assert job["status"] == "failed" and job["arguments"]["folder"] == str(server.root / "etc")


def test_from_an_evaluation_to_production_by_two_people(server, reviewer, document, bundles):
    first, second = bundles
    [signs] = fits(document, "models", "get", server.get("models"))
    assert [one["version"] for one in signs["versions"]] == [2, 1]
    assert [one["bundle"] for one in signs["versions"]] == [second, first]
    assert signs["staging"] is None
    decision = signs["versions"][1]["decision"]
    assert decision["verdict"] == "pass" and decision["by"] == "ann" and decision["reasons"]
    [known] = fits(document, "decisions", "get", server.get("decisions", bundle=first))
    assert known == decision

    asked = server.post("models/propose", {"bundle": first, "summary": "The first."})
    [signs] = fits(document, "models/propose", "post", asked)
    [proposal] = signs["versions"][1]["proposals"]
    assert proposal["status"] == "open" and proposal["by"] == "ann"
    own = server.post("models/approve", {"proposal": proposal["id"], "comment": ""})
    assert own.status_code == 400 and "cannot approve it" in own.json()["message"]
    move = {"name": "signs", "version": 1, "alias": "staging", "proposal": proposal["id"]}
    early = server.post("models/promote", move)
    assert early.status_code == 400 and "is not approved" in early.json()["message"]

    yes = reviewer.post("models/approve", {"proposal": proposal["id"], "comment": "It holds."})
    [signs] = fits(document, "models/approve", "post", yes)
    assert signs["versions"][1]["proposals"][0]["approved_by"] == "ben"
    [signs] = fits(document, "models/promote", "post", server.post("models/promote", move))
    assert signs["staging"] == 1 and signs["versions"][1]["aliases"] == ["staging"]

    again = server.post("models/propose", {"bundle": second, "summary": "Better."})
    [signs] = fits(document, "models/propose", "post", again)
    newest = signs["versions"][0]
    assert newest["decision"]["baseline"] == first  # gated beside what it would replace
    assert newest["decision"]["verdict"] == newest["proposals"][0]["verdict"] == "pass"
    better = newest["proposals"][0]["id"]
    reviewer.post("models/approve", {"proposal": better, "comment": ""}).raise_for_status()
    move |= {"version": 2, "proposal": better}
    assert reviewer.post("models/promote", move).json()[0]["staging"] == 2
    [signs] = fits(document, "models/rollback", "post",
                   server.post("models/rollback", {"name": "signs", "alias": "staging"}))  # fmt: skip
    assert signs["staging"] == 1


def test_a_roll_back_is_offered_where_there_is_something_to_return_to(server, reviewer, bundles):
    [signs] = server.get("models").json()
    assert signs["staging"] == 1 and signs["returns"] == {"staging": None, "production": None}


def test_the_report_of_a_decision_is_a_page_of_its_run(server, bundles):
    [signs] = server.get("models").json()
    decision = signs["versions"][0]["decision"]
    assert (decision["run"], decision["step"]) == ("run:" + "e" * 32, "evaluate")


def test_lineage_says_who_approved_and_promoted(server, bundles):
    graph = server.get("lineage", of=bundles[0]).json()
    nodes = {one["id"]: one for one in graph["nodes"]}
    done = {(one["verb"], one["by"], one["said"]) for one in nodes[bundles[0]]["done"]}
    assert ("promote", "ann", "staging") in done and ("register", "ann", "signs") in done
    [asked] = [one for one in nodes.values() if one["label"] == "The first."]
    assert ("approve", "ben", "It holds.") in {
        (one["verb"], one["by"], one["said"]) for one in asked["done"]
    }
    assert nodes[bundles[0]]["label"] == "signs@1"
    assert nodes[bundles[0]]["opens"] == {"type": "model", "target": "signs@1", "step": ""}


def test_a_model_and_data_of_one_name_are_told_apart(server, bundles):
    data = server.get("lineage", of="signs@1").json()["root"]
    model = server.get("lineage", of="model:signs@1").json()["root"]
    assert data.startswith("data:") and model == bundles[0]
    assert server.get("lineage", of="model:signs@9").status_code == 404


def test_a_table_is_read_by_its_first_rows(server, bundles):
    nodes = server.get("lineage", of=bundles[0]).json()["nodes"]
    table = next(one for one in nodes if one["label"] == "predictions of evaluate")
    said = server.get("text", id=table["opens"]["target"]).json()["text"]
    assert said.startswith("320 rows, the first 20:") and "predicted" in said
    assert server.get("text", id=bundles[0]).json()["text"].startswith("signs@1")


def test_no_and_why(server, reviewer, document, bundles):
    asked = server.post("models/propose", {"bundle": bundles[1], "summary": "Once more."}).json()
    proposal = asked[0]["versions"][0]["proposals"][0]["id"]
    silent = reviewer.post("models/reject", {"proposal": proposal, "comment": " "})
    assert silent.status_code == 400 and "without a reason" in silent.json()["message"]
    no = reviewer.post("models/reject", {"proposal": proposal, "comment": "Snow is missing."})
    [signs] = fits(document, "models/reject", "post", no)
    assert signs["versions"][0]["proposals"][0]["status"] == "rejected"


def test_without_a_decision_there_is_nothing_to_propose(server, document, bundles):
    unknown = {"bundle": "bundle:" + "0" * 64, "summary": "Trust me."}
    answer = server.post("models/propose", unknown)
    assert answer.status_code == 400 and "Judge it first" in answer.json()["message"]
    other = {"bundle": bundles[1], "summary": "Trust me.", "baseline": "bundle:" + "0" * 64}
    assert "beside bundle:0000" in server.post("models/propose", other).json()["message"]


def test_all_that_was_done_is_on_record_by_who_did_it(server, reviewer, bundles):
    done = [(a.verb, a.by) for a in acts(open_workspace(server.root / ".mlops"))]
    for act in (("fork", "ann"), ("gate", "ann"), ("propose", "ann"), ("approve", "ben"),
                ("promote", "ann"), ("promote", "ben"), ("rollback", "ann"), ("reject", "ben")):  # fmt: skip
        assert act in done


def helper(server):
    "The worker of a server."
    mine = psutil.Process(server.process.pid).children()
    return [one for one in mine if "mlops_nb.lab.worker" in one.cmdline()]


def test_without_a_workspace_there_is_no_worker(tmp_path):
    with jupyter(tmp_path) as server:
        assert (
            server.get("status").json()["workspace"] is None and server.get("models").json() == []
        )
        assert helper(server) == []


def test_a_worker_that_dies_is_replaced_and_ends_with_its_server(bundles, tmp_path, folder):
    workspace = {"MLOPS_NB_WORKSPACE": str(folder / "work" / ".mlops")}
    with jupyter(tmp_path, environ=workspace) as server:
        end = time.monotonic() + 20
        while not helper(server):  # it begins with the server, before anybody asks
            assert time.monotonic() < end
            time.sleep(0.1)
        before = server.get("models").json()
        [first] = helper(server)
        os.kill(first.pid, signal.SIGKILL)
        assert server.get("models").json() == before
        [second] = helper(server)
        assert second.pid != first.pid
    end = time.monotonic() + 20
    while second.is_running() and second.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.1)

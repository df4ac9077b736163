"The terminal's door: every command is described, answers, and fails with one message and a code."

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_nb.cli import cli
from mlops_nb.cli.door import _spelt

COMMAND = Path(sys.executable).parent / "mlops-nb"


def tell(ws, *words: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess:
    "Run mlops-nb in a workspace and hold its exit code."
    done = subprocess.run(
        [COMMAND, "--workspace", ws.root, *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environ,
    )
    assert done.returncode == code, f"{words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_says_what_it_does(name):
    command = cli.commands[name]
    assert command.help and command.help.strip().endswith((".", ").")), name


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from mlops_nb.images.scenes import drives, write_crops

    folder = tmp_path_factory.mktemp("world") / "crops"
    write_crops(folder, drives(3, 12))
    return folder


def test_data_from_folder_to_tag(ws, world, tmp_path):
    shutil.copytree(world, tmp_path / "signs")
    (tmp_path / "signs" / "stop" / "broken.png").write_bytes(b"not a picture")
    got = json.loads(tell(ws, "--json", "ingest", str(tmp_path / "signs"), "signs").stdout)
    assert got["added"] + got["quarantined"] >= 96
    shares = ("--fractions", "train=0.6,val=0.4", "--stratify", "label", "--anew")
    assert json.loads(tell(ws, "--json", "split", "signs", *shares).stdout)["samples"].keys() == {
        "train",
        "val",
    }
    assert "0.8 are no shares" in tell(
        ws, "split", "signs", "--fractions", "0.8", code=2
    ).stderr.replace("'", "")
    tell(ws, "validate", "signs")
    assert "signs@v1" in tell(ws, "tag", "signs", "v1").stdout
    assert "v1" in tell(ws, "versions").stdout
    kept = json.loads(tell(ws, "--json", "quarantine", "signs").stdout)
    assert [row["source"].rsplit("/", 1)[-1] for row in kept] == ["broken.png"]
    assert kept[0]["remedy"]
    shown = tell(ws, "lineage", "signs@v1").stdout
    assert "ingest" in shown
    assert "chain whole" in tell(ws, "ledger", "verify").stdout
    assert "ingest" in tell(ws, "--as", "ann", "ledger", "log").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ingest", "no-such-folder", "signs"), "no-such-folder"),
        (("validate", "no-such-dataset"), "no-such-dataset"),
        (("run", "trian"), "train"),
        (("deploy", "signs@staging"), "signs"),
        (("lineage", "bundle:" + "0" * 64), "bundle:"),
        (("demo", "--data", "no-such-folder"), "no-such-folder"),
        (("browse", "no-such-dataset"), "no-such-dataset"),
        (("collect", "no-such-dataset"), "Nobody browsed no-such-dataset in this workspace"),
    ],
)
def test_what_cannot_be_done_is_one_message(ws, words, told):
    done = tell(ws, *words, code=1)
    assert done.stderr.startswith("Error: ") and told in done.stderr
    assert done.stderr.count("Error") == 1


def test_a_split_says_its_shares(ws, world):
    tell(ws, "ingest", str(world), "signs")
    wrong = tell(ws, "split", "signs", "--fractions", "80/20", code=2).stderr
    assert "'80/20' are no shares" in wrong and "train=0.8" in wrong
    nowhere = tell(ws, "split", "signs", "--group", "place", code=1).stderr
    assert "Pass --group auto to fall back" in nowhere
    halves = ["--fractions", "train=0.5,test=0.5"]
    got = json.loads(tell(ws, "--json", "split", "signs", *halves).stdout)
    assert got["samples"].get("val", 0) == 0 and sum(got["groups"].values()) == 12
    shown = tell(ws, "split", "signs", *halves).stdout
    assert "0 samples got a side" in shown and "train" in shown


def test_arguments_of_a_verb_are_said_as_options():
    said = "Pass anew=True, or allow=['drive', 'place'], or format='coco', or by='ann'."
    assert _spelt(said, ["--json", "split", "signs"]) == (
        "Pass --anew, or --allow drive --allow place, or format='coco', or by='ann'."
    )
    assert "--format coco" in _spelt(said, ["ingest", "folder", "signs"])
    assert _spelt(said, ["no-such-command"]) == said == _spelt(said, [])


def test_looking_creates_nothing(tmp_path):
    from mlops_nb import open_workspace

    absent = open_workspace(tmp_path / "there")
    absent.root.rmdir()
    for words in (["versions"], ["models"], ["ledger", "verify"], ["proposals"]):
        assert "There is no workspace at" in tell(absent, *words, code=1).stderr
    assert not absent.root.exists()


def test_an_id_may_be_as_short_as_a_table_shows_it(ws):
    from mlops_nb import propose, record

    bundle = "bundle:" + "ab" * 32
    record(ws, "train", by="ann", outputs=[bundle])
    decision = {"id": "decision:" + "cd" * 32, "verdict": "pass"}
    asked = propose(ws, candidate=bundle, decision=decision, summary="first", by="ann")
    shown = tell(ws, "proposals", "--status", "open").stdout
    assert asked.id[:17] in shown and "ann" in shown and "first" in shown
    told = tell(ws, "--as", "ben", "approve", asked.id[:17]).stdout
    assert "approved by ben" in told
    assert "approved" in tell(ws, "proposals").stdout
    assert "not in this ledger" in tell(ws, "approve", "prop:" + "0" * 12, code=1).stderr
    assert "pass" in tell(ws, "lineage", asked.id[:14]).stdout


def test_a_wrong_word_offers_the_right_one(ws):
    assert "validate" in tell(ws, "validat", "signs", code=2).stderr


def test_parameters_are_refused_before_any_kernel_starts(ws):
    done = tell(ws, "run", "train", "-p", "epoch=3", "-p", "width=wide", code=1)
    assert "epochs" in done.stderr and "width" in done.stderr
    assert not ws.path("runs").exists()


def test_a_broken_ledger_is_found(ws):
    import sqlite3

    from mlops_nb.ledger import record

    for number in range(3):
        record(ws, "note", by="ann", facts={"number": number})
    assert "3 acts" in tell(ws, "ledger", "verify").stdout
    with sqlite3.connect(ws.path("ledger.db")) as db:
        for (name,) in db.execute("select name from sqlite_master where type='trigger'").fetchall():
            db.execute(f"drop trigger {name}")
        db.execute("update ledger_acts set actor = 'eve' where seq = 2")
    db.close()
    assert "BROKEN" in tell(ws, "ledger", "verify", code=3).stdout


def test_a_page_of_the_workspace_that_is_no_toml(ws):
    ws.path("workspace.toml").write_text("actor = ")
    assert "workspace.toml" in tell(ws, "versions", code=1).stderr
    ws.path("workspace.toml").write_text("acter = 'ann'")
    assert "acter" in tell(ws, "versions", code=1).stderr

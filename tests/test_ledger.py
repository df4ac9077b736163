"The ledger under attack, under load and after kill -9; who may approve; what came from what."

import json
import math
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from hashlib import sha256

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlops_nb import ledger
from mlops_nb.ledger import (
    GENESIS,
    acts,
    ancestors,
    approval,
    approve,
    blame,
    canonical_json,
    descendants,
    done,
    lineage,
    proposal,
    proposals,
    propose,
    record,
    reject,
    verify_ledger,
)
from mlops_nb.ledger.chain import act_id
from mlops_nb.ledger.store import (
    disconnect,
    ledger_address,
    note_head,
    seen_head,
    transaction,
)
from mlops_nb.workspace import LedgerError, Workspace, open_workspace

FORGED = """'act:9', prev, at, 'eve', verb, inputs, outputs, facts
    FROM ledger_acts WHERE seq = 2"""
COLUMNS = ("id", "prev", "at", "actor", "verb", "inputs", "outputs", "facts")


@pytest.fixture(params=["sqlite", "postgresql"])
def any_ws(request, tmp_path):
    "An empty workspace whose ledger is in SQLite, then in PostgreSQL."
    root = tmp_path / "workspace"
    root.mkdir()
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql")()
        (root / "workspace.toml").write_text(f'ledger_url = "{url}"\n')
    yield open_workspace(root)
    disconnect()


def unguarded(ws: Workspace, *statements: str) -> None:
    "What somebody with the database's password could do: triggers off, then change anything."
    engine = sa.create_engine(ledger_address(ws), poolclass=sa.NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            names = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            for name in connection.exec_driver_sql(names).scalars().all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            for table in ("ledger_acts", "ledger_touched"):
                connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            connection.exec_driver_sql(statement)


def python(ws: Workspace, code: str, *arguments: object, **options) -> subprocess.Popen:
    "Another process that has `ws` and everything of the ledger at hand."
    head = (
        "import os, signal, sys, time\n"
        "from mlops_nb.ledger import *\nfrom mlops_nb.ledger import chain, store\n"
        "from mlops_nb.workspace import open_workspace\nws = open_workspace(sys.argv[1])\n"
    )
    command = [sys.executable, "-c", head + code, str(ws.root), *map(str, arguments)]
    return subprocess.Popen(command, text=True, **options)


# What an act is


def test_an_act_is_what_anyone_can_hash_again(any_ws):
    record(any_ws, "ingest", by="Zoë", outputs=["data:a"], facts={"ß": [1, 1.0, True, None, "\0"]})
    second = record(any_ws, "train", inputs=["data:a", "data:a"], facts={"b": 1, "a": {"x": -0.0}})
    for act in acts(any_ws):
        body = asdict(act)
        name = body.pop("id")
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert name == "act:" + sha256(text.encode()).hexdigest()
    assert [act.prev for act in acts(any_ws)] == [GENESIS, acts(any_ws)[0].id]
    assert acts(any_ws)[1] == second and math.copysign(1, second.facts["a"]["x"]) == -1
    assert verify_ledger(any_ws).ok


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(facts=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), PLAIN))
def test_facts_come_back_as_they_went_in(ws, facts):
    act = record(ws, "note", facts=facts)
    (back,) = acts(ws, limit=1)
    assert back == act and canonical_json(back.facts) == canonical_json(facts)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"a": {"b": [0, float("nan")]}}, r"facts\['a'\]\['b'\]\[1\] is nan"),
        ({"when": datetime(2026, 1, 1)}, r"facts\['when'\] is datetime"),
        ({"n": 2**63}, r"facts\['n'\]"),
        ({"s": {1}}, r"facts\['s'\] is \{1\} of type set"),
        ({"s": "\ud800"}, r"facts\['s'\]"),
        ({"s": {1: 2}}, r"facts\['s'\] has the key 1 of type int"),
        ({"blob": b"x"}, r"facts\['blob'\] is b'x'"),
        ([1], "facts is a list"),
        ({"big": "x" * (1 << 20)}, "put_blob"),
    ],
)
def test_facts_that_json_cannot_keep_are_named(ws, facts, named):
    with pytest.raises(LedgerError, match=named):
        record(ws, "note", facts=facts)
    assert acts(ws) == ()


def test_numpy_scalars_and_loops_are_refused(ws):
    numpy = pytest.importorskip("numpy")
    with pytest.raises(LedgerError, match=r"facts\['accuracy'\].*float32"):
        record(ws, "note", facts={"accuracy": numpy.float32(0.5)})
    loop = {}
    loop["self"] = loop
    with pytest.raises(LedgerError, match="at most 32 deep"):
        record(ws, "note", facts=loop)


@pytest.mark.parametrize(
    "wrong",
    [
        {"inputs": "data:abc"},
        {"inputs": ["data:abc", ""]},
        {"outputs": [None]},
        {"outputs": ["a\nb"]},
        {"by": " "},
        {"by": "x" * 201},
        {"at": "yesterday"},
        {"at": "2026-01-31T08:15:00"},
        {"at": datetime(2026, 1, 31)},
        {"at": 5},
    ],
)
def test_ill_formed_acts_are_refused_and_leave_nothing(ws, wrong):
    with pytest.raises(LedgerError, match=next(iter(wrong))):
        record(ws, "note", **wrong)
    assert acts(ws) == () and verify_ledger(ws).ok


def test_times_are_utc_and_a_clock_that_runs_backwards_is_shown(any_ws):
    moment = datetime(2026, 1, 31, 9, 15, tzinfo=timezone(timedelta(hours=1)))
    assert record(any_ws, "a", at=moment).at == "2026-01-31T08:15:00.000Z"
    assert record(any_ws, "b", at="2026-01-31T08:14:59.5Z").at == "2026-01-31T08:14:59.500Z"
    record(any_ws, "c", at="2026-01-31T10:00:00+01:00")
    check = verify_ledger(any_ws)
    assert check.ok and check.backwards == (2,)
    assert [act.verb for act in acts(any_ws)] == ["a", "b", "c"]


def test_acts_are_found_by_verb_by_what_they_touch_and_the_newest_first(any_ws):
    for i in range(5):
        record(any_ws, "even" if i % 2 == 0 else "odd", inputs=[f"x:{i}"], outputs=[f"x:{i + 1}"])
    assert [a.seq for a in acts(any_ws, verb="even")] == [1, 3, 5]
    assert [a.seq for a in acts(any_ws, touching="x:1")] == [1, 2]
    assert [a.seq for a in acts(any_ws, touching=["x:0", "x:5"])] == [1, 5]
    assert [a.seq for a in acts(any_ws, touching=[f"x:{i}" for i in range(2500)], limit=2)] == [
        4,
        5,
    ]
    assert acts(any_ws, touching=[]) == acts(any_ws, touching="nothing") == ()


def test_done_wants_the_same_inputs_and_the_facts_it_names(any_ws):
    act = record(any_ws, "split", inputs=["a:1", "b:2"], facts={"seed": 1, "train": 300})
    assert done(any_ws, "split", inputs=["b:2", "a:1"], facts={"seed": 1}) == act
    assert done(any_ws, "split", inputs=["b:2", "a:1"]) == act
    for facts in ({"seed": 2}, {"seed": True}, {"seed": 1.0}, {"other": None}):
        assert done(any_ws, "split", inputs=["a:1", "b:2"], facts=facts) is None
    assert done(any_ws, "split", inputs=["a:1"]) is None
    assert done(any_ws, "train", inputs=["a:1", "b:2"]) is None
    assert done(any_ws, "split", inputs=[]) is None


# Attacks


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_acts SET actor = 'eve'",
        "DELETE FROM ledger_acts WHERE seq = 2",
        "UPDATE ledger_touched SET thing = 'x'",
        "DELETE FROM ledger_touched",
        f"INSERT INTO ledger_acts SELECT 9, {FORGED}",
        f"INSERT INTO ledger_acts SELECT 4, {FORGED}",
        f"sqlite: INSERT OR REPLACE INTO ledger_acts SELECT 2, {FORGED}",
        "postgresql: TRUNCATE ledger_acts",
        f"postgresql: INSERT INTO ledger_acts SELECT 2, {FORGED} ON CONFLICT DO NOTHING",
    ],
)
def test_the_database_itself_refuses_to_change_the_past(any_ws, statement):
    for i in range(3):
        record(any_ws, "note", outputs=[f"x:{i}"])
    before = acts(any_ws)
    only, _, rest = statement.rpartition(": ")
    kind = ledger_address(any_ws).get_backend_name()
    if only and only != kind:
        pytest.skip(f"a statement of {only}")
    with pytest.raises(LedgerError, match="append-only"), transaction(any_ws, write=True) as c:
        c.exec_driver_sql(rest)
    assert acts(any_ws) == before and verify_ledger(any_ws).ok


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    "A ledger of twelve acts in one file, to be copied and attacked."
    ws = open_workspace(tmp_path_factory.mktemp("twelve"))
    for i in range(12):
        facts = {"i": i, "kept": ["ä", 0.5]}
        record(ws, "note", by="ana", inputs=[f"x:{i}"], outputs=[f"x:{i + 1}"], facts=facts)
    with sqlite3.connect(ws.path("ledger.db")) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    return ws


class Attack:
    "A copy of the twelve acts with its triggers gone."

    def __init__(self, original: Workspace):
        self.folder = tempfile.TemporaryDirectory()
        self.ws = open_workspace(self.folder.name)
        for name in ("ledger.db", "ledger.head"):
            shutil.copy(original.path(name), self.ws.path(name))
        self.raw = sqlite3.connect(self.ws.path("ledger.db"), isolation_level=None)
        self.raw.row_factory = sqlite3.Row
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for row in self.raw.execute(triggers).fetchall():
            self.raw.execute(f"DROP TRIGGER {row['name']}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()
        self.folder.cleanup()

    def row(self, seq: int) -> dict:
        return dict(self.raw.execute("SELECT * FROM ledger_acts WHERE seq = ?", [seq]).fetchone())

    def write(self, row: dict, at: int | None = None) -> None:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.raw.execute(
            "DELETE FROM ledger_acts WHERE seq = ?", [row["seq"] if at is None else at]
        )
        self.raw.execute(f"INSERT INTO ledger_acts ({names}) VALUES ({marks})", list(row.values()))


attacks = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SEQ = st.integers(1, 12)
VALUE = st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.floats()


@attacks
@given(seq=SEQ, column=st.sampled_from(COLUMNS), value=VALUE)
def test_any_altered_value_is_found_and_named(twelve, seq, column, value):
    with Attack(twelve) as attack:
        was = attack.row(seq)[column]
        try:
            attack.raw.execute(f"UPDATE ledger_acts SET {column} = ? WHERE seq = ?", [value, seq])
        except sqlite3.IntegrityError:  # NaN becomes NULL, which the table refuses
            assume(False)
        assume(attack.row(seq)[column] != was)
        check = verify_ledger(attack.ws)
        assert not check.ok and check.first_bad == seq and f"act {seq} " in check.reason


@pytest.mark.parametrize(
    ("column", "old", "new"),
    [
        ("facts", ":", ": "),  # the same JSON, spelt otherwise
        ("facts", '"i":4', '"i":4,"i":4'),
        ("facts", "0.5", "0.50"),
        ("inputs", '"x:4"', '"\\u0078:4"'),
        ("at", "Z", "z"),
    ],
)
def test_another_spelling_of_the_same_value_is_found(twelve, column, old, new):
    with Attack(twelve) as attack:
        row = attack.row(5)
        assert old in row[column]
        attack.write(row | {column: row[column].replace(old, new)})
        assert verify_ledger(attack.ws).first_bad == 5


def test_moving_the_border_between_two_columns_is_found(twelve):
    with Attack(twelve) as attack:
        row = attack.row(5)
        facts, inputs = row["facts"], row["inputs"]
        cut = len(facts) - 4
        moved = {"facts": facts[:cut], "inputs": facts[cut:] + ',"inputs":' + inputs}
        attack.write(row | moved)
        assert verify_ledger(attack.ws).first_bad == 5


@attacks
@given(seqs=st.sets(SEQ, min_size=1))
def test_removed_rows_are_found_and_the_first_is_named(twelve, seqs):
    with Attack(twelve) as attack:
        for seq in seqs:
            attack.raw.execute("DELETE FROM ledger_acts WHERE seq = ?", [seq])
            attack.raw.execute("DELETE FROM ledger_touched WHERE seq = ?", [seq])
        check = verify_ledger(attack.ws)
        assert not check.ok and check.first_bad == min(seqs) and check.n == min(seqs) - 1
        gap = max(set(range(1, 13)) - seqs, default=0) > min(seqs)
        assert f"act {min(seqs)} is missing" in check.reason if gap else "cut off" in check.reason
        with (
            pytest.raises(LedgerError, match="append-only|cut off") if 12 in seqs else nullcontext()
        ):
            record(attack.ws, "note")


@attacks
@given(order=st.permutations(range(1, 13)))
def test_reordered_rows_are_found(twelve, order):
    first = next((i for i, seq in enumerate(order, 1) if seq != i), None)
    assume(first)
    with Attack(twelve) as attack:
        rows = [attack.row(seq) for seq in order]
        attack.raw.execute("DELETE FROM ledger_acts")
        for seq, row in enumerate(rows, 1):
            attack.write(row | {"seq": seq})
        check = verify_ledger(attack.ws)
        assert not check.ok and check.first_bad == first


@attacks
@given(seq=st.integers(-3, 13), rehash=st.booleans(), shift=st.booleans())
def test_an_inserted_row_is_found(twelve, seq, rehash, shift):
    "A forger makes up an act; even one with a good hash does not fit between its neighbours."
    with Attack(twelve) as attack:
        forged = attack.row(1) | {"seq": seq, "actor": "eve", "id": "act:forged"}
        if 1 <= seq <= 12:
            for later in range(12, seq - 1, -1):
                moved = attack.row(later)
                moved["seq"] += 1
                attack.write(moved | ({"id": act_id(moved)} if shift else {}), at=later)
        if rehash:
            forged["id"] = act_id(forged)
        attack.write(forged)
        check = verify_ledger(attack.ws)
        assert not check.ok
        assert check.first_bad in ((1,) if seq < 1 else (seq, seq + 1))


@attacks
@given(seq=SEQ, everything_after=st.booleans())
def test_a_forger_who_recomputes_hashes_is_found(twelve, seq, everything_after):
    "One rehashed act breaks the next link; a chain rewritten to its end is not what was last seen."
    with Attack(twelve) as attack:
        prev = attack.row(seq)["prev"]
        for at in range(seq, 13 if everything_after else seq + 1):
            row = attack.row(at) | {"prev": prev} | ({"actor": "eve"} if at == seq else {})
            prev = row["id"] = act_id(row)
            attack.write(row)
        check = verify_ledger(attack.ws)
        assert not check.ok
        assert check.first_bad == (12 if everything_after else min(seq + 1, 12))
        attack.ws.path("ledger.head").unlink()
        assert verify_ledger(attack.ws).ok == (everything_after or seq == 12)
        assert not verify_ledger(attack.ws, expected_head=acts(twelve)[-1].id).ok


def test_a_number_left_out_of_a_rewritten_chain_is_found(twelve):
    with Attack(twelve) as attack:
        row = attack.row(12) | {"seq": 13}
        attack.raw.execute("UPDATE ledger_touched SET seq = 13 WHERE seq = 12")
        attack.write(row | {"id": act_id(row)}, at=12)
        attack.ws.path("ledger.head").unlink()
        check = verify_ledger(attack.ws)
        assert check.first_bad == 12 and "act 12 is missing" in check.reason


@pytest.mark.parametrize("left", range(12))
def test_a_cut_off_end_is_found_by_the_witness_and_by_an_expected_head(twelve, left):
    head = acts(twelve)[-1].id
    with Attack(twelve) as attack:
        for table in ("ledger_acts", "ledger_touched"):
            attack.raw.execute(f"DELETE FROM {table} WHERE seq > {left}")
        check = verify_ledger(attack.ws)
        assert not check.ok and check.first_bad == left + 1 and head in check.reason
        with pytest.raises(LedgerError, match="cut off"):
            record(attack.ws, "note")
        attack.ws.path("ledger.head").unlink()
        assert verify_ledger(attack.ws).ok
        assert not verify_ledger(attack.ws, expected_head=head).ok
        assert record(attack.ws, "note").seq == left + 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_touched SET thing = 'x:99' WHERE seq = 7",
        "UPDATE ledger_touched SET seq = 99 WHERE seq = 7",
        "UPDATE ledger_touched SET side = 'out' WHERE seq = 7 AND side = 'in'",
        "DELETE FROM ledger_touched WHERE seq = 7",
        "INSERT INTO ledger_touched (thing, seq, side) VALUES ('x:1', 7, 'in')",
        "INSERT INTO ledger_touched (thing, seq, side) VALUES ('x:1', 0, 'in')",
        "INSERT INTO ledger_touched (thing, seq, side) VALUES ('x:1', 13, 'in')",
    ],
)
def test_an_altered_look_up_table_is_found(any_ws, statement):
    for i in range(12):
        record(any_ws, "note", inputs=[f"x:{i}"], outputs=[f"x:{i + 1}"])
    unguarded(any_ws, statement)
    check = verify_ledger(any_ws)
    assert not check.ok and "look-up" in check.reason


def test_attacks_on_postgresql_are_found_too(any_ws):
    for i in range(4):
        record(any_ws, "note", by="ana", outputs=[f"x:{i}"])
    unguarded(any_ws, "UPDATE ledger_acts SET actor = 'eve' WHERE seq = 3")
    assert verify_ledger(any_ws).first_bad == 3
    unguarded(any_ws, "DELETE FROM ledger_acts WHERE seq = 2")
    assert verify_ledger(any_ws).first_bad == 2


def test_the_witness_moves_forward_only(ws):
    "Two processes may note their heads in the other order than they committed."
    note_head(ws, 7, "act:seven")
    note_head(ws, 6, "act:sixth")
    assert seen_head(ws) == (7, "act:seven")


def test_an_old_copy_put_back_is_noticed(ws):
    record(ws, "one")
    with sqlite3.connect(ws.path("ledger.db")) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()
    backup = ws.path("ledger.db").read_bytes()
    record(ws, "two")
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        ws.path(name).unlink(missing_ok=True)
    ws.path("ledger.db").write_bytes(backup)
    assert "seen act 2" in verify_ledger(ws).reason
    with pytest.raises(LedgerError, match="Restore the ledger"):
        record(ws, "three")


# Crowds and crashes

CROWD = """
for i in range(int(sys.argv[3])):
    record(ws, "note", by=sys.argv[2], outputs=[f"x:{sys.argv[2]}-{i}"])
"""


def test_many_processes_keep_one_chain(any_ws):
    "They race for making the tables as well as for the chain."
    crowd = [python(any_ws, CROWD, f"p{k}", 20) for k in range(4)]
    assert [process.wait(120) for process in crowd] == [0] * 4
    check = verify_ledger(any_ws)
    assert check.ok and check.n == 80
    for k in range(4):
        mine = [act.outputs[0] for act in acts(any_ws) if act.by == f"p{k}"]
        assert mine == [f"x:p{k}-{i}" for i in range(20)]


def test_threads_keep_one_chain(any_ws):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda i: record(any_ws, "note", facts={"i": i}).seq, range(40)))
    assert sorted(made) == list(range(1, 41)) and verify_ledger(any_ws).ok


def test_a_forked_child_opens_its_own_connection(any_ws):
    code = """
record(ws, "parent")
child = os.fork()
for i in range(10):
    record(ws, "note", by=f"pid{bool(child)}")
if child:
    assert os.waitpid(child, 0)[1] == 0
    record(ws, "parent")
"""
    assert python(any_ws, code).wait(60) == 0
    assert verify_ledger(any_ws).ok and len(acts(any_ws)) == 22


@pytest.mark.parametrize("moment", ["before commit", "after commit", "no matter"])
def test_kill_9_leaves_the_chain_whole(any_ws, moment):
    code = """
draft = dict(at="t", actor="a", verb="lost", inputs="[]", outputs='["x:1"]', facts="{}")
record(ws, "first")
if sys.argv[2] == "no matter":
    while True:
        print(record(ws, "more", outputs=["x:2"]).id, flush=True)
with store.transaction(ws, write=True) as connection:
    chain._append(connection, ws, draft)
    if sys.argv[2] == "before commit":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with python(any_ws, code, moment, stdout=subprocess.PIPE) as process:
        told = []
        if moment == "no matter":
            told = [process.stdout.readline().strip()]
            time.sleep(0.2)
            process.send_signal(signal.SIGKILL)
        told += process.stdout.read().split()
    assert process.wait(60) == -signal.SIGKILL
    check = verify_ledger(any_ws)
    assert check.ok and check.n >= {"before commit": 1, "after commit": 2}.get(moment, 2)
    assert {name for name in told if len(name) == 68} <= {act.id for act in acts(any_ws)}
    assert any(act.verb == "lost" for act in acts(any_ws)) == (moment == "after commit")
    record(any_ws, "again")
    assert verify_ledger(any_ws).n == check.n + 1


def test_a_workspace_deleted_and_made_again_is_a_new_ledger(tmp_path):
    for _ in range(2):
        ws = open_workspace(tmp_path / "w")
        assert record(ws, "note").seq == 1
        assert len(acts(ws)) == 1
        shutil.rmtree(ws.root)


# Clear words when the engine cannot


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://chris:secret@db/x", "Use a SQLite file or PostgreSQL"),
        ("sqlite://", "Use a SQLite file or PostgreSQL"),
        ("not a url secret", "ledger_url is not a database URL"),
        ("sqlite:///no/such/folder/ledger.db", "unable to open"),
        ("postgresql://chris:secret@127.0.0.1:1/x", "Nothing was recorded"),
    ],
)
def test_a_ledger_that_cannot_be_reached_is_said_without_its_password(ws, url, words):
    if url.startswith("postgresql"):
        pytest.importorskip("psycopg", reason="pip install 'mlops-nb[postgres]'")
    with pytest.raises(LedgerError, match=words) as caught:
        record(Workspace(ws.root, {"ledger_url": url}), "note")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_and_a_garbled_head_are_said(ws):
    ws.path("ledger.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        record(ws, "note")
    ws.path("ledger.db").unlink()
    ws.path("ledger.head").write_text("act one\n")
    with pytest.raises(LedgerError, match="does not hold an act's number"):
        record(ws, "note")


# Proposals

PASS = {"id": "decision:1", "verdict": "pass", "reasons": ["held"]}


def proposed(ws, **changes):
    given = {"candidate": "bundle:b", "baseline": "bundle:a", "decision": PASS, "by": "chris"}
    return propose(ws, **{**given, "summary": "Holds in snow.", **changes})


def test_a_proposal_is_one_however_often_it_is_made(any_ws):
    first = proposed(any_ws)
    assert proposed(any_ws) == first and len(acts(any_ws)) == 1
    assert first.status == "open" and first.decision == {"id": "decision:1", "verdict": "pass"}
    assert proposed(any_ws, baseline=None).baseline is None
    assert proposed(any_ws, summary="Other words.").id != first.id
    assert proposed(any_ws, by="ana").id != first.id
    assert len(proposals(any_ws)) == 4 and proposals(any_ws)[0] == first


def test_approval_is_one_act_and_the_first_stands(any_ws):
    name = proposed(any_ws).id
    assert approval(any_ws, name) is None
    first = approve(any_ws, name, by="dana", comment="Looked at the night slice.")
    assert approve(any_ws, name, by="dana") == approve(any_ws, name, by="eli") == first
    assert approval(any_ws, name) == first and len(acts(any_ws, verb="approve")) == 1
    assert proposal(any_ws, name).status == "approved"
    assert proposals(any_ws, status="open") == ()


def test_many_buttons_pressed_at_once_make_one_approval(any_ws):
    name = proposed(any_ws).id
    crowd = [
        python(any_ws, "approve(ws, sys.argv[2], by=sys.argv[3])", name, f"p{k}") for k in range(4)
    ]
    assert [process.wait(60) for process in crowd] == [0] * 4
    assert len(acts(any_ws, verb="approve")) == 1


@pytest.mark.parametrize("author", ["chris", " Chris ", "CHRIS", "ｃｈｒｉｓ"])
def test_nobody_approves_their_own(ws, author):
    name = proposed(ws).id
    with pytest.raises(LedgerError, match="cannot approve it"):
        approve(ws, name, by=author)
    approve(ws, name, by="dana")
    with pytest.raises(LedgerError, match="cannot approve it"):
        approve(ws, name, by=author)


@pytest.mark.parametrize("verdict", ["fail", "not_enough_evidence"])
def test_what_did_not_pass_is_not_approved(ws, verdict):
    name = proposed(ws, decision={"id": "decision:2", "verdict": verdict}).id
    with pytest.raises(LedgerError, match=verdict):
        approve(ws, name, by="dana")
    assert approval(ws, name) is None


def test_a_verdict_that_the_ledger_knows_otherwise_is_refused(ws):
    record(ws, "gate", outputs=["decision:1"], facts={"verdict": "fail"})
    with pytest.raises(LedgerError, match="'fail'"):
        proposed(ws)


def test_acts_recorded_past_the_rules_approve_nothing(ws):
    mine, failed = proposed(ws), proposed(ws, decision={"id": "d:2", "verdict": "fail"})
    record(ws, "approve", by="chris", inputs=[mine.id])
    record(ws, "approve", by="dana", inputs=[failed.id])
    forged = "prop:" + "0" * 64
    record(ws, "propose", by="chris", outputs=[forged], facts=acts(ws)[0].facts)
    record(ws, "approve", by="dana", inputs=[forged])
    assert approval(ws, mine.id) is None and approval(ws, failed.id) is None
    with pytest.raises(LedgerError, match="not a proposal"):
        approval(ws, forged)
    assert {p.status for p in proposals(ws)} == {"open"} and len(proposals(ws)) == 2
    assert approve(ws, mine.id, by="dana").by == "dana"


def test_a_rejection_has_a_reason_is_final_and_withdraws_an_approval(ws):
    name = proposed(ws).id
    approve(ws, name, by="dana")
    with pytest.raises(LedgerError, match="reason"):
        reject(ws, name, by="ana", comment=" ")
    first = reject(ws, name, by="ana", comment="Latency doubled.")
    assert reject(ws, name, by="eli", comment="Other.") == first
    assert approval(ws, name) is None and proposal(ws, name).status == "rejected"
    with pytest.raises(LedgerError, match="Latency doubled"):
        approve(ws, name, by="dana")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"decision": {"id": "d"}}, "verdict"),
        ({"decision": {"id": "d", "verdict": "passed"}}, "verdict"),
        ({"decision": "pass"}, "verdict"),
        ({"summary": ""}, "summary"),
        ({"candidate": ""}, "inputs"),
        ({"by": ""}, "by"),
    ],
)
def test_an_ill_formed_proposal_is_refused(ws, wrong, words):
    with pytest.raises(LedgerError, match=words):
        proposed(ws, **wrong)
    assert acts(ws) == ()


def test_an_unknown_proposal_is_named(ws):
    for verb in (approve, approval, proposal):
        with pytest.raises(LedgerError, match="'prop:none' is not a proposal"):
            verb(ws, "prop:none")
    with pytest.raises(LedgerError, match="is not a proposal"):
        reject(ws, "prop:none", comment="why")


# Lineage


def diamond(ws):
    record(ws, "ingest", by="ana", outputs=["data:top"], facts={"ref": "signs@v1"})
    record(ws, "split", by="ana", inputs=["data:top"], outputs=["data:l", "data:r"])
    record(ws, "validate", by="bo", inputs=["data:l"], outputs=["data:l"])
    record(ws, "train", by="chris", inputs=["data:l", "data:r"], outputs=["bundle:b"])
    record(ws, "train", by="chris", inputs=["data:r"], outputs=["bundle:other"])
    record(ws, "deploy", by="dana", inputs=["bundle:b"], facts={"name": "staging"})


def test_a_diamond_is_walked_once_and_drawn_once(any_ws):
    diamond(any_ws)
    assert ancestors(any_ws, "bundle:b") == ("data:l", "data:r", "data:top")
    assert set(descendants(any_ws, "data:top")) == {"data:l", "data:r", "bundle:b", "bundle:other"}
    assert [(b.by, b.verb, b.did) for b in blame(any_ws, "data:l")] == [
        ("ana", "split", "made"),
        ("bo", "validate", "made"),
        ("chris", "train", "used"),
    ]
    got = lineage(any_ws, "bundle:b")
    assert {(e.source, e.target) for e in got.edges} == {
        ("data:l", "bundle:b"),
        ("data:r", "bundle:b"),
        ("data:top", "data:l"),
        ("data:top", "data:r"),
    }
    tree = got.tree()
    assert tree.count("signs@v1") == 1 and tree.count("(see above)") == 1
    assert "other" not in tree and "deploy by dana" in tree and "validate by bo" in tree
    assert json.loads(json.dumps(got.to_dict()))["root"] == "bundle:b"
    assert "(see above)" in lineage(any_ws, "data:top").tree()


def test_histories_that_return_end_like_others(ws):
    record(ws, "edit", inputs=["d:a"], outputs=["d:b"])
    record(ws, "revert", inputs=["d:b"], outputs=["d:a"])
    record(ws, "touch", inputs=["d:a"], outputs=["d:a"])
    assert ancestors(ws, "d:a") == descendants(ws, "d:a") == ("d:b",)
    assert lineage(ws, "d:a").tree().count("(see above)") == 2


def test_a_long_history_is_drawn_to_a_depth(ws):
    for i in range(60):
        record(ws, "ingest", inputs=[f"d:{i:03}"], outputs=[f"d:{i + 1:03}"])
    got = lineage(ws, "d:060")
    assert len(got.nodes) == 61 and "greater depth" in got.tree()
    assert len(got.tree(depth=100).splitlines()) == 62


def test_ids_may_be_shortened_while_they_are_unmistakable(any_ws):
    record(any_ws, "a", outputs=["data:abc1", "data:abd2", "data:ab%3"])
    assert lineage(any_ws, "data:abc").root == "data:abc1"
    assert lineage(any_ws, "data:ab%").root == "data:ab%3"
    with pytest.raises(LedgerError, match="could be data:ab%3, data:abc1"):
        lineage(any_ws, "data:ab")
    for verb in (ancestors, descendants, blame, lineage):
        with pytest.raises(LedgerError, match="'data:zz' is not in this ledger"):
            verb(any_ws, "data:zz")


def test_the_room_is_light():
    code = "import sys, mlops_nb.ledger; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(hasattr(ledger, name) for name in ledger.__all__)

"""Acts appended per second beside a bare SQLite insert that is just as durable, and verified per second.

Both commit each row by itself, in WAL mode with synchronous = FULL (one fsync a commit). They take
turns in the same folder, so that other work on the machine slows both. Run: python benchmarks/ledger.py
"""

import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from mlops_nb.ledger import acts, record, verify_ledger
from mlops_nb.workspace import open_workspace

ROUNDS, EACH = 15, 40
FACTS = {"name": "signs", "added": 400, "note": "x" * 200}


def bare(path: Path) -> sqlite3.Connection:
    "The least that keeps a row as safely."
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE acts (seq INTEGER PRIMARY KEY, body TEXT)")
    return connection


def insert(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO acts (body) VALUES (?)", [str(FACTS)])
    connection.execute("COMMIT")


def rate(work: object, times: int) -> float:  # calls per second
    start = time.perf_counter()
    for _ in range(times):
        work()
    return times / (time.perf_counter() - start)


def main() -> None:
    "Measure and print."
    with tempfile.TemporaryDirectory() as folder:
        ws = open_workspace(Path(folder) / "ws")
        raw = bare(Path(folder) / "bare.db")
        ids = {"inputs": ["data:" + "a" * 64], "outputs": ["bundle:" + "b" * 64]}
        record(ws, "warm up")
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(rate(lambda: record(ws, "train", **ids, facts=FACTS), EACH))
            theirs.append(rate(lambda: insert(raw), EACH))
        ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
        print(f"append, ledger            {statistics.median(ours):10,.0f} acts/s")
        print(f"append, bare SQLite       {statistics.median(theirs):10,.0f} rows/s")
        print(f"append, ledger : bare     {statistics.median(ratios):10.2f}")
        n = len(acts(ws))
        speed = n * rate(lambda: verify_ledger(ws), 5)
        loading = n * rate(lambda: raw.execute("SELECT * FROM acts").fetchall(), 5)
        print(f"verify                    {speed:10,.0f} acts/s ({n:,} acts)")
        print(f"verify : bare SELECT      {speed / loading:10.3f}")
        raw.close()


if __name__ == "__main__":
    main()

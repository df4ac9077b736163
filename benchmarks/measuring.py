"""What the scripts of this folder share: a clock, and the least that any store must do."""

import hashlib
import time
from pathlib import Path


def timed(work) -> float:
    "Seconds that a call takes."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hash_and_copy(folder: Path, target: Path, pattern: str = "*.jpg"):
    "Read every file, hash it, write it elsewhere: no versions, no table, no commit."
    target.mkdir()
    for path in sorted(folder.rglob(pattern)):
        data = path.read_bytes()
        (target / hashlib.sha256(data).hexdigest()).write_bytes(data)

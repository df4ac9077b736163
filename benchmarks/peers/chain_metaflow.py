"Three steps by Metaflow's local run, once for each line of input; prints the seconds of each."

import sys
import time
from pathlib import Path

from metaflow import Runner

for _ in sys.stdin:
    began = time.perf_counter()
    with Runner(
        str(Path(__file__).with_name("flow.py")), pylint=False, show_output=False
    ).run() as done:
        assert done.status == "successful"
    print("took", time.perf_counter() - began, flush=True)

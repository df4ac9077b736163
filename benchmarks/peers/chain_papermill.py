"Three notebooks by papermill, one after the other, once for each line of input; prints the seconds of each."

import sys
import time
from pathlib import Path

import papermill

OUTPUT = "application/vnd.mlops-nb.output+json"
folder = Path(sys.argv[1])
for _ in sys.stdin:
    began, value = time.perf_counter(), 0
    for at in range(3):
        source, target = folder / f"step{at}.ipynb", folder / f"step{at}.papermill.ipynb"
        told = {"before": value}
        page = papermill.execute_notebook(source, target, parameters=told, progress_bar=False)
        value = page.cells[-1].outputs[0]["data"][OUTPUT]["value"]
    assert value == 3
    print("took", time.perf_counter() - began, flush=True)

"Three steps by `run`, nothing in a cache, once for each line of input; prints the seconds of each."

import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from mlops_nb.pipeline import Output, Step, run
from mlops_nb.workspace import open_workspace

folder = Path(sys.argv[1])
steps = [Step("step0", folder / "step0.ipynb")]
for at in (1, 2):
    before = {"before": Output(f"step{at - 1}", "value")}
    steps.append(Step(f"step{at}", folder / f"step{at}.ipynb", before))
for _ in sys.stdin:
    began = time.perf_counter()
    assert run(open_workspace(mkdtemp(dir=folder)), steps)["step2"].outputs == {"value": 3}
    print("took", time.perf_counter() - began, flush=True)

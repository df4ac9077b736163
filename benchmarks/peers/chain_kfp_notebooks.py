"""Three notebooks by Kubeflow's local SubprocessRunner, once for each line of input; prints the seconds of each.

A notebook component of Kubeflow hands values on by files: its notebook writes one, its function reads it.
"""

import json
import sys
import time
from pathlib import Path

from kfp import dsl, local

folder = Path(sys.argv[1]) / "kfp"
folder.mkdir(exist_ok=True)
empty = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
cells = [
    empty | {"id": "a", "metadata": {"tags": ["parameters"]}, "source": "before, to = 0, ''"},
    empty | {"id": "b", "source": "with open(to, 'w') as file:\n    print(before + 1, file=file)"},
]
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
page = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
(folder / "step.ipynb").write_text(json.dumps(page))


# what it needs is installed: without the two options the runner would ask pip at each step
@dsl.notebook_component(
    notebook_path=str(folder / "step.ipynb"),
    base_image="python:3.11",
    packages_to_install=[],
    install_kfp_package=False,
)
def step(before: int) -> int:
    import tempfile
    from pathlib import Path

    to = Path(tempfile.mkdtemp()) / "value"
    dsl.run_notebook(before=before, to=str(to))
    return int(to.read_text())


@dsl.pipeline
def chain() -> int:
    first = step(before=0)
    second = step(before=first.output)
    return step(before=second.output).output


local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(folder))
for _ in sys.stdin:
    began = time.perf_counter()
    assert chain().output == 3
    print("took", time.perf_counter() - began, flush=True)

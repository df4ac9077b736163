"Step notebooks as tests write them: a cell of parameters, then code."

import json
from pathlib import Path

from nbformat import v4

EMIT = "from mlops_nb.pipeline import emit\n"


def write(path: Path, declared: str, *code: str) -> Path:
    "A notebook file with these code cells, the first tagged `parameters`."
    cells = [v4.new_code_cell(one) for one in (declared, *code)]
    cells[0].metadata.tags = ["parameters"]
    page = v4.new_notebook(cells=cells)
    page.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path

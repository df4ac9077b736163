"""Execute the tutorials, in the team's order, in one workspace.

`python tests/tutorials.py` executes all of them in a new workspace and keeps what they show in the
notebooks: words and pictures, and no widget, which would need its kernel.
"""

import json
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "nbs" / "tutorials").glob("[0-9]*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def executed(path: Path, workspace: Path) -> nbformat.NotebookNode:
    "The page after every cell has run in a kernel of its own, told where the team's workspace is."
    page = nbformat.read(path, as_version=4)
    env = os.environ | {"MLOPS_NB_WORKSPACE": str(workspace), "OMP_NUM_THREADS": "1"}
    client = NotebookClient(page, timeout=600, kernel_name="python3")
    client.execute(cwd=str(path.parent), env=env)
    return page


def kept(page: nbformat.NotebookNode) -> nbformat.NotebookNode:
    "The page as it is committed: what was shown, without what only a kernel can show."
    page.metadata = {"kernelspec": page.metadata["kernelspec"]}
    for cell in page.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
        outputs = [out for out in cell.get("outputs", ()) if out.get("name") != "stderr"]
        for out in outputs:
            out.get("data", {}).pop(WIDGET, None)
            out.pop("metadata", None)
            if out.output_type in ("display_data", "execute_result"):
                out.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = outputs, None
            for out in outputs:
                if out.output_type == "execute_result":
                    out.execution_count = None
    return page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        for path in PAGES:
            page = kept(executed(path, Path(place)))
            path.write_text(json.dumps(page, indent=1, ensure_ascii=False) + "\n", "utf-8")
            print(path.name)

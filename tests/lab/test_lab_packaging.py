"Installing lays down what makes a Jupyter server load the extension, and loading it imports nothing heavy."

import os
import re
import subprocess
import sys
from pathlib import Path

from servers import jupyter

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "mlflow", "lance", "pyarrow", "torch", "papermill", "numpy", "sqlalchemy", "msgspec", "nbclient",
    "scipy", "cv2", "PIL", "onnx", "onnxruntime", "fiftyone", "ray", "matplotlib", "click", "httpx",
    "psutil", "uvicorn",
}  # fmt: skip


def test_what_an_installation_lays_down_is_found_by_jupyter(tmp_path):
    subprocess.run(
        [sys.executable, "setup.py", "-q", "install_data", f"--install-dir={tmp_path}"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert (tmp_path / "etc/jupyter/jupyter_server_config.d/mlops_nb.json").is_file()
    known = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    known |= {"HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path / "etc/jupyter")}
    listed = subprocess.run(
        [sys.executable, "-m", "jupyter", "server", "extension", "list"],
        env=known, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = re.sub(r"\x1b\[[0-9;]*m", "", listed.stdout + listed.stderr)
    assert re.search(r"mlops_nb\.lab\s+enabled", said), said
    assert re.search(r"mlops_nb\.lab\s.*OK", said), said


def test_a_server_that_starts_and_shows_a_panel_imports_nothing_heavy(tmp_path):
    "Asked of the real process: what it has loaded, after the first routes a page asks for."
    (tmp_path / "telling.py").write_text(
        "import json, sys\n"
        "from jupyter_server.base.handlers import APIHandler\n"
        "class Loaded(APIHandler):\n"
        "    def get(self): self.finish(json.dumps(sorted(sys.modules)))\n"
        "def _load_jupyter_server_extension(app):\n"
        "    app.web_app.add_handlers('.*', [('/loaded', Loaded)])\n"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    both = ("mlops_nb.lab", "telling")
    with jupyter(tmp_path, extensions=both, environ={"PYTHONPATH": paths}) as server:
        for route in ("status", "runs", "templates"):
            assert server.get(route).is_success
        loaded = set(server.client.get("loaded").json())
    assert "mlops_nb.lab.app" in loaded
    assert loaded.isdisjoint(HEAVY), loaded & HEAVY

"Installing lays down what makes Jupyter load both extensions, and loading them imports nothing heavy."

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from site import getsitepackages

import pytest
from servers import jupyter

ROOT = Path(__file__).resolve().parents[2]
SHARE = "share/jupyter"
NEEDED = {
    "mlops_nb", "templates", "kernelspec", "jupyter-config", "settings.ini", "setup.py",
    "pyproject.toml", "README.md", "LICENSE",
}  # fmt: skip
HEAVY = {
    "mlflow", "lance", "pyarrow", "torch", "papermill", "numpy", "sqlalchemy", "msgspec", "nbclient",
    "scipy", "cv2", "PIL", "onnx", "onnxruntime", "fiftyone", "ray", "matplotlib", "click", "httpx",
    "psutil", "uvicorn",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    "What `pip install .` builds from a checkout."
    home = tmp_path_factory.mktemp("wheel")
    kept = [name for name in os.listdir(ROOT) if name in NEEDED]
    for name in kept:  # a copy, for setuptools leaves build/ and egg-info beside what it builds
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, home / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=home, check=True, capture_output=True)
    (made,) = home.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    "The Python of an environment that has the wheel; what it stands on is lent from this one."
    home = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text("\n".join(getsitepackages()))
    return python


def said(python: Path | str, home: Path, *command: str) -> str:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "PYTHON"))}
    done = subprocess.run([python, *command], env=known | {"HOME": str(home)}, cwd=home,
                          check=False, capture_output=True, text=True)  # fmt: skip
    assert not done.returncode, done.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def listed(python: Path | str, home: Path) -> None:
    "Both lists of Jupyter say OK."
    server = said(python, home, "-m", "jupyter_server", "extension", "list")
    assert re.search(r"mlops_nb\.lab\s+enabled", server), server
    assert re.search(r"mlops_nb\.lab\s.*OK", server), server
    lab = said(python, home, "-m", "jupyterlab.labextensions", "list")
    assert re.search(r"mlops-nb v\S+ enabled OK \(python, mlops_nb\)", lab), lab


def test_jupyter_finds_both_extensions_of_this_checkout(tmp_path):
    listed(sys.executable, tmp_path)


def test_jupyter_finds_both_extensions_of_a_wheel(installed, tmp_path):
    listed(installed, tmp_path)


def test_a_wheel_carries_what_the_package_reads_and_nothing_else(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {name for name in inside if name.startswith("mlops_nb/")}
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mlops_nb").rglob("*.*")
            if path.is_file() and path.suffix != ".pyc"}  # fmt: skip
    built = {name for name in here if name.startswith("mlops_nb/labextension/")}
    assert package == here - built | {"mlops_nb/labextension/package.json"}
    share = {name.partition(".data/data/")[2] for name in inside - package}
    front = {
        name.replace("mlops_nb/labextension", f"{SHARE}/labextensions/mlops-nb") for name in built
    }
    templates = {f"share/mlops_nb/templates/{path.name}" for path in (ROOT / "templates").iterdir()
                 if path.suffix == ".ipynb"}  # fmt: skip
    server = "etc/jupyter/jupyter_server_config.d/mlops_nb.json"
    assert share == front | templates | {server, f"{SHARE}/kernels/mlops-nb/kernel.json"}


def test_the_doors_of_a_wheel_open(installed, tmp_path):
    code = (
        "import mlops_nb; from mlops_nb import open_workspace, template, widgets\n"
        "print(widgets.browse(open_workspace('workspace')).title)\n"
        "print(mlops_nb.__file__, template('train'), sep='\\n')"
    )
    title, package, template = said(installed, tmp_path, "-c", code).splitlines()
    assert title == "Look at a data set"
    assert Path(package).is_relative_to(installed.parents[1]) and Path(template).is_file()
    assert Path(template).is_relative_to(installed.parents[1])


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

"The front end that is committed: built from the sources beside it, small, found by JupyterLab."

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "labextension"


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("builder", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_committed_was_built_from_these_sources(builder):
    assert builder.built_from() == builder.digest(), "Run: make labextension"
    code = "".join(path.read_text("utf-8") for path in builder.BUILT.rglob("static/*.js"))
    assert builder.digest() in code  # the page compares it with what the server says


def test_a_changed_source_is_noticed(builder, tmp_path, monkeypatch):
    for path in builder.sources():
        target = tmp_path / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    before = builder.digest()
    monkeypatch.setattr(builder, "HERE", tmp_path)
    assert builder.digest() == before
    (tmp_path / "src" / "one_more.ts").write_text("export {};\n")
    assert builder.digest() != before


def test_what_a_browser_loads_is_small(builder):
    assert 0 < builder.size_bytes() < 300_000
    assert not list(builder.BUILT.rglob("*.map"))


def test_no_source_is_long_and_none_says_any():
    for path in sorted((FOLDER / "src").rglob("*.ts*")):
        text = path.read_text("utf-8")
        assert text.count("\n") <= 400, path.name
        assert not re.search(r"(:|<|as) any\b", text), path.name
        if path.name != "request.ts":
            assert not re.search(r"\b(fetch|makeRequest|XMLHttpRequest|WebSocket)\(", text), (
                path.name
            )


def test_the_lock_names_no_registry():
    assert not re.search(r"https?://", (FOLDER / "yarn.lock").read_text("utf-8"))


def test_jupyterlab_lists_it_as_sound(tmp_path):
    subprocess.run(
        [sys.executable, "setup.py", "-q", "install_data", f"--install-dir={tmp_path}"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    laid = tmp_path / "share/jupyter/labextensions"
    assert (laid / "mlops-nb/install.json").is_file()
    known = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    known |= {"HOME": str(tmp_path), "JUPYTER_PATH": str(tmp_path / "share/jupyter")}
    listed = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        env=known, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = re.sub(r"\x1b\[[0-9;]*m", "", listed.stdout + listed.stderr)
    ours = said[said.index(str(laid)) :]
    assert re.search(r"mlops-nb v[\d.]+ enabled OK \(python, mlops_nb\)", ours), said

"Fixtures every test may use: a fresh workspace, and the real data sets where they are present."

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def ws(tmp_path):
    "An empty workspace of its own."
    from mlops_nb.workspace import open_workspace

    return open_workspace(tmp_path / "workspace")


@pytest.fixture
def real_data():
    "A function from a data set's name to its folder; skips where the data is absent."

    def folder(name: str) -> Path:
        path = REAL_DATA / name
        if not path.is_dir():
            pytest.skip(f"real data set {name!r} is not on this machine (looked in ../shared/data)")
        return path

    return folder

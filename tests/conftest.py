"Fixtures every test may use: a fresh workspace, and the real data sets where they are present."

import os
from pathlib import Path

import pytest

# Two workers that each train on two threads would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

LONG = ("test_walk", "test_readme", "test_templates")  # begun first, so that no worker ends alone


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONG)


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

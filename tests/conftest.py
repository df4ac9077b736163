"Fixtures every test may use: a fresh workspace, and the real data sets where they are present."

import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Two workers that each train on two threads would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
# A process beside each of hundreds of runs would slow every other test; test_tracking asks for it.
os.environ.setdefault("MLOPS_NB_TRACK", "later")
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

LONG = ("test_walk", "test_readme", "test_templates")  # begun first, so that no worker ends alone


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture
def ws(tmp_path, request):
    "An empty workspace of its own; CI keeps the notebooks executed and the reports written in it."
    from mlops_nb.workspace import open_workspace

    home = tmp_path / "workspace"
    yield open_workspace(home)
    if kept := os.environ.get("MLOPS_NB_ARTIFACTS"):
        for page in [*home.glob("runs/**/*.ipynb"), *home.glob("reports/*.html")]:
            place = Path(kept).resolve() / request.node.name / page.relative_to(home)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, place)


@pytest.fixture
def real_data():
    "A function from a data set's name to its folder; skips where the data is absent."

    def folder(name: str) -> Path:
        path = REAL_DATA / name
        if not path.is_dir():
            pytest.skip(f"real data set {name!r} is not on this machine (looked in ../shared/data)")
        return path

    return folder


@pytest.fixture
def small_disk(tmp_path):
    "A file system of 3 MiB."
    path = tmp_path / "small"
    path.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(path)],
        check=False,
        capture_output=True,
    )
    if not made or made.returncode:
        pytest.skip("a small tmpfs cannot be mounted here (that needs root)")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)

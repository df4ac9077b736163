"Fixtures every test may use: a fresh workspace, and the real data sets where they are present."

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
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


@pytest.fixture(scope="session")
def postgresql():
    "Our own PostgreSQL on a unix socket; a function that makes an empty database in it."
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if not initdb or not pg_ctl:
        pytest.skip("PostgreSQL is not on this machine (no initdb and pg_ctl in PATH)")
    psycopg = pytest.importorskip("psycopg", reason="pip install 'mlops-nb[postgres]'")
    as_user = {"user": "nobody"} if os.getuid() == 0 else {}  # the server refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if as_user:
        shutil.chown(folder, "nobody")
    options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
    start = [pg_ctl, "-D", str(folder / "db"), "-l", str(folder / "log"), "-w", "-o", options]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, **as_user}
    subprocess.check_call(
        [initdb, "-D", folder / "db", "-A", "trust", "-U", "house", "-N"], **quiet
    )
    subprocess.check_call([*start, "start"], **quiet)
    counter = iter(range(1000))

    def database() -> str:
        name = f"ledger{next(counter)}"
        with psycopg.connect(f"host={folder} user=house dbname=postgres", autocommit=True) as c:
            c.execute(f"CREATE DATABASE {name}")
        return f"postgresql://house@/{name}?host={folder}"

    yield database
    subprocess.check_call([pg_ctl, "-D", folder / "db", "stop", "-m", "immediate"], **quiet)
    shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture(scope="module")
def s3():
    "A real S3 API on the loopback, and the variables that lead to it."
    pytest.importorskip("moto.server", reason="the extra dev brings moto[server]")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = "from moto.server import main; import sys; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
    server = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    environment = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_REGION": "us-east-1",
                   "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
                   "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    import urllib.request

    request = urllib.request.Request(f"http://127.0.0.1:{port}/team", method="PUT")
    request.add_header(
        "Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"
    )
    urllib.request.urlopen(request, timeout=30).close()
    yield environment
    server.terminate()
    server.wait(30)

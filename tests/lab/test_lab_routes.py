"What can be asked: the document, the routes and the answers agree; nobody asks who may not; errors keep their words."

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
from openapi_spec_validator import validate
from servers import TOKEN, fits, jupyter, operations, page

from mlops_nb import __version__

# Asks the web application of a real server which handlers it would call, and for which methods.
REGISTERED = """
import json, sys
from jupyter_server.serverapp import ServerApp
from tornado.web import RequestHandler
app = ServerApp()
app.initialize(['--ServerApp.jpserver_extensions={"mlops_nb.lab": True}', "--allow-root",
                "--ServerApp.port=0", "--no-browser"], new_httpserver=False)
found = []
def walk(rules):
    for rule in rules:
        if hasattr(rule.target, "rules"):
            walk(rule.target.rules)
        pattern = getattr(rule.matcher, "regex", None)
        if pattern and pattern.pattern.startswith("/mlops-nb/"):
            unknown = RequestHandler._unimplemented_method
            methods = [m for m in ("get", "head", "post", "put", "patch", "delete")
                       if getattr(rule.target, m) is not unknown]
            found.append((pattern.pattern, methods))
walk(app.web_app.default_router.rules)
print("FOUND" + json.dumps(found))
"""


def test_the_document_is_openapi(document):
    validate(document)
    assert document["openapi"].startswith("3.1") and document["info"]["version"] == __version__


def test_every_route_is_in_the_document_and_the_document_has_no_other(document, tmp_path):
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", REGISTERED], text=True, check=True,
                         capture_output=True, cwd=tmp_path)  # fmt: skip
    found = json.loads(out.stdout.partition("FOUND")[2])
    registered = {
        (pattern.removeprefix("/mlops-nb/").rstrip("$").replace("[.]", "."), method)
        for pattern, methods in found
        for method in methods
        if not pattern.startswith("/mlops-nb/browse/")
    }
    assert registered == set(operations(document)) and len(registered) >= 7


def test_without_a_token_nothing_is_told(server, document):
    for route, method in operations(document):
        answer = httpx.request(method, f"{server.url}mlops-nb/{route}", trust_env=False)
        assert answer.status_code == 403, (route, method)
        fits(document, route, method, answer)


def test_an_authorizer_decides_who_may(folder, document, tmp_path):
    "With one that allows to read, every GET passes and every POST is refused, whatever it would do."
    (tmp_path / "reading_only.py").write_text(
        "from jupyter_server.auth import Authorizer\n"
        "class ReadingOnly(Authorizer):\n"
        "    def is_authorized(self, handler, user, action, resource):\n"
        "        return action == 'read' and resource in ('mlops-nb', 'api')\n"
    )
    option = "--ServerApp.authorizer_class=reading_only.ReadingOnly"
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    with jupyter(tmp_path, option, environ={"PYTHONPATH": paths}) as server:
        for route, method in operations(document):
            answer = server.client.request(method, f"mlops-nb/{route}")
            assert (answer.status_code == 403) == (method == "post"), (route, answer.text)


def test_a_cookie_alone_changes_nothing(server):
    "What a foreign page could make a browser send: the cookie, and not the token of the form."
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        browser.get("", params={"token": TOKEN})
        assert browser.get("mlops-nb/status").is_success
        wanted = {"name": "train", "path": "by-cookie.ipynb"}
        refused = browser.post("mlops-nb/templates", json=wanted)
        assert refused.status_code == 403 and "_xsrf" in refused.text
        assert not (server.root / "by-cookie.ipynb").exists()
        browser.get("login")  # any page of Jupyter sets it
        headers = {"X-XSRFToken": browser.cookies["_xsrf"]}
        assert browser.post("mlops-nb/templates", json=wanted, headers=headers).is_success
    assert (server.root / "by-cookie.ipynb").exists()


def test_a_foreign_page_sees_nothing(server):
    "A browser that is logged in, and a page of somebody else that asks through it."
    with httpx.Client(base_url=server.url, trust_env=False, follow_redirects=True) as browser:
        browser.get("", params={"token": TOKEN})
        foreign = {"Origin": "https://elsewhere.example"}
        assert browser.get("mlops-nb/status", headers=foreign).status_code == 404
        assert browser.get("mlops-nb/status").is_success


def test_status(server, document):
    said = fits(document, "status", "get", server.get("status"))
    assert said["version"] == __version__ and said["actor"] == "ann" and said["running"] == 0
    assert said["workspace"] == str(server.root / ".mlops") and said["devices"][0]["id"] == "cpu"


def test_runs_are_told_from_their_files(server, document, failed):
    [run] = fits(document, "runs", "get", server.get("runs"))
    assert run["id"] == failed.id and run["status"] == "failed" and run["by"] == "bob"
    learn, judge = run["steps"]
    assert learn["status"] == "ran" and learn["outputs"] == {"score": 0.5}
    assert judge["status"] == "failed" and "ZeroDivisionError" in judge["error"]
    assert judge["uses"] == ["learn"] and judge["notebook"].startswith(".mlops/runs/")
    assert (server.root / judge["notebook"]).exists()


def test_older_runs_come_a_page_at_a_time(server, document, failed, tmp_path):
    "By when they began, whatever was done to their folders since."
    root = server.root / ".mlops" / "runs"
    began = {uuid.uuid4().hex: f"2026-01-01T00:00:{n % 60:02}.{n:03}+00:00" for n in range(70)}
    ids = [failed.id, *(f"run:{one}" for one in sorted(began, key=began.get, reverse=True))]
    damaged = ids.pop(30)  # no reason to show fewer
    for one, at in began.items():
        copy = Path(shutil.copytree(root / failed.id[4:], tmp_path / one))
        for file in (copy / "run.json", copy / "events.jsonl"):
            said = file.read_text().replace(failed.id[4:], one).replace(failed.began_at, at)
            file.write_text("{" if damaged == f"run:{one}" else said)
        copy.rename(root / one)
    (root / ids[-1][4:] / "judge.html").touch()  # somebody has read its page
    try:
        newest = fits(document, "runs", "get", server.get("runs"))
        older = fits(document, "runs", "get", server.get("runs", before=newest[-1]["id"]))
        assert [one["id"] for one in newest] == ids[:50]
        assert [one["id"] for one in older] == ids[50:]
        assert server.get("runs", before=ids[-1]).json() == []
        gone = server.get("runs", before="run:" + "0" * 32)
        assert gone.status_code == 404 and "Reload" in gone.json()["message"]
    finally:
        for one in began:
            shutil.rmtree(root / one)


def test_what_a_step_said(server, document, failed):
    log = fits(document, "runs/log", "get", server.get("runs/log", id=failed.id, step="judge"))
    assert log["text"].startswith("0.5") and "ZeroDivisionError" in log["text"]
    assert "\x1b" not in log["text"]
    for wrong in ({"id": failed.id, "step": "nobody"}, {"id": "run:" + "0" * 32, "step": "judge"}):
        answer = server.get("runs/log", **wrong)
        assert answer.status_code == 404 and fits(document, "runs/log", "get", answer)["message"]
    assert "lacks step" in server.get("runs/log", id=failed.id).json()["message"]


def test_a_page_as_executed_is_read_where_no_notebook_is_served(server, document, failed):
    said = fits(document, "runs/page", "get", server.get("runs/page", id=failed.id, step="judge"))
    assert (
        said["html"].lower().startswith("<!doctype html>") and "ZeroDivisionError" in said["html"]
    )
    assert server.get("runs/page", id=failed.id, step="nobody").status_code == 404


def test_a_form_of_a_notebook(server, document):
    lines = 'data: DatasetRef = "signs@v1"  # what to learn from\nepochs: int = 3'
    (server.root / "mine.ipynb").write_text(page("1", parameters=lines))
    form = fits(document, "schema", "get", server.get("schema", notebook="mine.ipynb"))
    assert form["dataset"] == "signs"
    assert form["parameters"]["properties"]["epochs"] == {"type": "integer", "default": 3}
    (server.root / "odd.ipynb").write_text(page("1", parameters="epochs: Nonsense[3] = 3"))
    odd = server.get("schema", notebook="odd.ipynb")
    assert odd.status_code == 400 and odd.json()["kind"] == "PipelineError"
    assert "Nonsense" in odd.json()["message"]
    assert server.get("schema", notebook="absent.ipynb").status_code == 404
    assert server.get("schema", notebook="../../secret.ipynb").status_code == 403


def test_templates_are_copied_and_overwrite_nothing(server, document):
    names = [one["name"] for one in fits(document, "templates", "get", server.get("templates"))]
    assert {"train", "evaluate", "monitor"} <= set(names)
    wanted = {"name": "train", "path": "night.ipynb"}
    copied = fits(document, "templates", "post", server.post("templates", wanted))
    assert copied == {"path": "night.ipynb"}
    (server.root / "night.ipynb").write_text("mine")
    again = server.post("templates", wanted)
    assert again.status_code == 409 and (server.root / "night.ipynb").read_text() == "mine"
    assert server.post("templates", wanted | {"path": "../night.ipynb"}).status_code == 403
    assert server.post("templates", wanted | {"path": "no/night.ipynb"}).status_code == 404
    assert "did you mean" in server.post("templates", wanted | {"name": "trian"}).json()["message"]


def test_what_is_sent_is_checked(server, document):
    wanted = {"name": "train", "path": "checked.ipynb"}
    for body, word in ((wanted | {"force": True}, "force"), ({"name": "train"}, "path"),
                       (wanted | {"name": 3}, "name"), ([], "object")):  # fmt: skip
        answer = server.post("templates", body)
        assert (
            answer.status_code == 400
            and word in fits(document, "templates", "post", answer)["message"]
        )
    answer = server.client.post("mlops-nb/templates", content=b"{")
    assert answer.status_code == 400
    assert not (server.root / "checked.ipynb").exists()


def test_looking_makes_no_workspace(document, tmp_path):
    "Under a base URL, too: `/user/ann/` is where a hub puts it."
    with jupyter(tmp_path, base_url="/user/ann/") as server:
        assert server.get("status").json()["workspace"] is None
        for route, method in operations(document):
            shape = document["paths"][f"/{route}"][method]
            if method == "get" and not any(p["required"] for p in shape.get("parameters", [])):
                fits(document, route, method, server.get(route))
        assert server.get("runs").json() == []
        assert list(server.root.iterdir()) == []

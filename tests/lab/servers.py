"A real Jupyter server of one's own: a process, a free port, a home and a workspace that are thrown away."

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from openapi_schema_validator import OAS31Validator

TOKEN = "a-token-of-a-test"


@dataclass
class Server:
    "A server that runs."

    client: httpx.Client  # with the token; paths begin after the base URL
    url: str  # http://127.0.0.1:<port><base_url>
    process: subprocess.Popen
    log: Path
    root: Path  # what it serves

    def get(self, route: str, **query: str) -> httpx.Response:
        return self.client.get(f"mlops-nb/{route}", params=query)

    def post(self, route: str, body: dict) -> httpx.Response:
        return self.client.post(f"mlops-nb/{route}", json=body)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def jupyter(
    folder: Path,
    *options: str,
    command: tuple[str, ...] = ("-m", "jupyter_server"),
    base_url: str = "/",
    environ: dict[str, str] | None = None,
    extensions: tuple[str, ...] = ("mlops_nb.lab",),
) -> Iterator[Server]:
    "A server that serves folder/work and has folder/home; ended by its process id."
    home, root, port = folder / "home", folder / "work", free_port()
    home.mkdir(exist_ok=True)
    root.mkdir(exist_ok=True)
    known = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "MLOPS_NB_W"))}
    known |= {"HOME": str(home), "JUPYTER_NO_CONFIG": "1", "MLOPS_NB_ACTOR": "ann"}
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": str(root),
        "ServerApp.base_url": base_url,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "ServerApp.jpserver_extensions": dict.fromkeys(extensions, True),
        "IdentityProvider.token": TOKEN,
    }
    words = [f"--{name}={value}" for name, value in settings.items()]
    url, log = f"http://127.0.0.1:{port}{base_url}", folder / "server.log"
    headers = {"Authorization": f"token {TOKEN}"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command, *words, *options],
            cwd=root, env=known | (environ or {}), stdout=out, stderr=out,
        )  # fmt: skip
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            _until_it_answers(client, process, log)
            yield Server(client, url, process, log, root)
    finally:
        process.terminate()
        process.wait(30)


def _until_it_answers(client: httpx.Client, process: subprocess.Popen, log: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, log.read_text("utf-8")[-4000:]
        try:
            if client.get("api/status").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {log.read_text('utf-8')[-4000:]}")


def page(*cells: str, parameters: str = "") -> str:
    "A notebook file's text."
    parts = [{"source": parameters, "metadata": {"tags": ["parameters"]}}] if parameters else []
    parts += [{"source": source, "metadata": {}} for source in cells]
    made = [{"cell_type": "code", "execution_count": None, "outputs": [], **one} for one in parts]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})


def operations(document):
    return [(path[1:], method) for path, one in document["paths"].items() for method in one]


def fits(document, route, method, answer):
    "Hold a real answer against the schema the document has for it."
    said = document["paths"][f"/{route}"][method]["responses"]
    code = next((c for c in said if c == str(answer.status_code)), "default")
    shape = said[code]["content"]["application/json"]["schema"]
    whole = shape | {"components": document["components"]}
    OAS31Validator(whole, format_checker=OAS31Validator.FORMAT_CHECKER).validate(answer.json())
    return answer.json()


def begins(ws, status="running", **more):
    "A job as one that works would have left it; its id."
    name = uuid.uuid4().hex
    said = {"id": f"job:{name}", "verb": "validate", "arguments": {}, "by": "eve", "status": status,
            "began_at": "2026-01-31T08:15:00+00:00", "process": ["elsewhere", 1]}  # fmt: skip
    (ws.folder("jobs", name) / "job.json").write_text(json.dumps(said | more))
    return said["id"]

"A real JupyterLab, a real browser: servers of two people on one workspace, pages that may not leave the machine."

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

sync = pytest.importorskip("playwright.sync_api", reason="the extra dev brings playwright")

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = re.compile(r"^(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|^(data|blob|about):")


@dataclass(frozen=True)
class Lab:
    "One person's JupyterLab."

    url: str  # with its base URL, ending in /
    token: str
    folder: Path  # its root
    process: subprocess.Popen
    log: Path

    def page(self, path: str = "lab") -> str:
        return f"{self.url}{path}?token={self.token}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_lab(home: Path, workspace: Path, *, actor: str, base: str = "/") -> Iterator[Lab]:
    "JupyterLab on a free port with a home of its own, ended by its process id."
    folder = home / "notebooks"
    folder.mkdir(parents=True)
    port, token = free_port(), secrets.token_hex(16)
    settings = home / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    environ = os.environ | {
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / ".jupyter/lab/user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / ".jupyter/lab/workspaces"),
        "JUPYTER_TOKEN": token,
        "MLOPS_NB_ACTOR": actor,
        "MLOPS_NB_WORKSPACE": str(workspace),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port_retries=0",
    ]
    command += [f"--ServerApp.base_url={base}", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
    log = home / "jupyter.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    url = f"http://127.0.0.1:{port}{base}"
    try:
        wait_until_it_answers(url, token, process, log)
        yield Lab(url, token, folder, process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def wait_until_it_answers(url: str, token: str, process, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}api/status?token={token}", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


@pytest.fixture(scope="session")
def browser():
    "The system's Chromium, else playwright's own."
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    with sync.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def ws(tmp_path_factory):
    "The workspace of a small town's team."
    from town import town

    from mlops_nb.serve import stop

    made = town(tmp_path_factory.mktemp("town"))
    yield made
    stop(made, "staging")


@pytest.fixture(scope="module")
def bob(ws, tmp_path_factory) -> Iterator[Lab]:
    "The JupyterLab of one of them."
    with running_lab(tmp_path_factory.mktemp("bob"), ws.root, actor="bob") as lab:
        yield lab


@pytest.fixture
def pictures(request, tmp_path_factory) -> Path:
    "Where screenshots go: CI keeps them."
    kept = os.environ.get("MLOPS_NB_ARTIFACTS")
    place = Path(kept).resolve() if kept else tmp_path_factory.mktemp("pictures")
    place = place / "ui" / re.sub(r"\W+", "-", request.node.name)
    place.mkdir(parents=True, exist_ok=True)
    return place


@contextmanager
def opened(
    browser, lab: Lab, *, dark: bool = False, path: str = "lab", pictures: Path | None = None
):
    "A page of that JupyterLab, loaded; it fails if the page asked anybody else, or broke."
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    theme = "Dark" if dark else "Light"
    settings = lab.folder.parent / ".jupyter/lab/user-settings/@jupyterlab/apputils-extension"
    (settings / "themes.jupyterlab-settings").write_text(f'{{"theme": "JupyterLab {theme}"}}')
    elsewhere, broken = [], []
    context.on("request", lambda r: LOOPBACK.match(r.url) or elsewhere.append(r.url))
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda err: broken.append(str(err)))
    page.goto(lab.page(path))
    page.wait_for_function("window.jupyterapp !== undefined")
    page.evaluate("window.jupyterapp.restored")
    lit = f"body[data-jp-theme-light='{str(not dark).lower()}']"
    page.locator(lit).wait_for(state="attached")
    try:
        yield page
    except BaseException:
        if pictures:
            page.screenshot(path=pictures / "failed.png")
        raise
    finally:
        context.close()
    assert not elsewhere, f"the page asked {elsewhere[:3]}"
    assert not broken, broken[:3]


def panel(page, section: str):
    "A section of the side panel, unfolded."
    page.evaluate(
        "section => window.jupyterapp.commands.execute('mlops-nb:open-panel', {section})", section
    )
    return page.get_by_test_id(f"mlops-{section}")


def command(page, name: str, arguments: dict | None = None) -> None:
    "What choosing a command in the palette does; it is not waited for."
    page.evaluate(
        "([name, args]) => { void window.jupyterapp.commands.execute(name, args); }",
        [name, arguments or {}],
    )


def answer(page, send: str, **values: str) -> None:
    "Fill in the form that is open, and send it."
    form = page.get_by_test_id("mlops-form")
    form.wait_for()
    if (more := form.locator("summary")).count():
        more.click()
    for name, value in values.items():
        box = form.locator(f"[name='{name}']")
        (box.select_option if box.evaluate("e => e.tagName") == "SELECT" else box.fill)(value)
    page.locator(".jp-Dialog").get_by_role("button", name=send, exact=True).click()
    form.wait_for(state="detached")


def button(within, name: str, *, exact: bool = True):
    return within.get_by_role("button", name=name, exact=exact)


def accessible(page, within: str, *, frames: bool = True) -> list[str]:
    "Serious faults that axe finds in a part of the page."
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=within, options={"iframes": frames}).response["violations"]
    bad = [one for one in found if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in bad]

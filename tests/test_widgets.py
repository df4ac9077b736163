"Widgets: panels in a real kernel, told by the messages a page would get and send."

import json
import time
import uuid

import numpy as np
import pytest
from jupyter_client.manager import KernelManager
from notebooks import EMIT, write

from mlops_nb.data import ingest
from mlops_nb.images.pixels import encode
from mlops_nb.jobs import jobs, start, watch_job
from mlops_nb.widgets import register_panel, train_panel, validate_panel
from mlops_nb.widgets.forms import form_of
from mlops_nb.widgets.panels import Panel, in_thread, shown
from mlops_nb.workspace import DataError, MlopsError, environ_of


@pytest.fixture
def signs(ws, tmp_path):
    "A workspace with a data set of five images."
    photos = tmp_path / "photos" / "stop"
    photos.mkdir(parents=True)
    for n in range(5):
        picture = np.random.default_rng(n).integers(0, 255, (32, 32, 3)).astype(np.uint8)
        (photos / f"{n}.png").write_bytes(encode(picture))
    ingest(ws, photos.parent, "signs", by="ann")
    return ws


class Page:
    "What a page with widgets does: run cells, keep the state of every widget, click."

    def __init__(self, ws):
        self.manager = KernelManager()
        self.manager.start_kernel(env=environ_of(ws))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.widgets, self.control = {}, uuid.uuid4().hex

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def take(self, message) -> None:
        content = message["content"]
        if message["msg_type"] == "comm_open":
            self.widgets[content["comm_id"]] = dict(content["data"]["state"])
        elif message["msg_type"] == "comm_msg" and content["data"].get("method") == "update":
            self.widgets.setdefault(content["comm_id"], {}).update(content["data"]["state"])
        elif message["msg_type"] == "error":
            raise AssertionError("\n".join(content["traceback"]))

    def until(self, true, seconds=60):
        "Take messages until this is so."
        end = time.monotonic() + seconds
        while not (found := true()):
            self.take(self.client.get_iopub_msg(timeout=max(0.1, end - time.monotonic())))
        return found

    def run(self, code: str) -> str:
        "Execute a cell; what it printed."
        asked, printed = self.client.execute(code), []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            self.take(message)
            if message["parent_header"].get("msg_id") == asked:
                if message["msg_type"] == "stream":
                    printed.append(message["content"]["text"])
                if message["content"].get("execution_state") == "idle":
                    return "".join(printed)

    def send(self, kind: str, **content) -> None:
        message = self.client.session.msg(kind, content, metadata={"version": "1.0.0"})
        self.client.shell_channel.send(message)

    def button(self, label: str) -> str:
        return next(k for k, one in self.widgets.items() if one.get("description") == label)

    def click(self, label: str) -> None:
        data = {"method": "custom", "content": {"event": "click"}}
        self.send("comm_msg", comm_id=self.button(label), data=data)

    def words(self) -> str:
        return " ".join(str(one.get("value")) for one in self.widgets.values())


@pytest.fixture
def page(signs):
    page = Page(signs)
    yield page
    page.close()


OPEN = "from mlops_nb import open_workspace, {0}\nws = open_workspace()\n{0}(ws{1})"
SLOW = "import time\nfor _ in range(600): time.sleep(0.1)"


def test_a_click_validates_and_the_page_hears_of_it(signs, page):
    page.run(OPEN.format("validate_panel", ", 'signs', by='ann'"))
    page.click("Validate")
    page.until(lambda: "5 samples of signs checked: 0 errors" in page.words())
    assert page.widgets[page.button("Validate")]["disabled"] is False
    (job,) = jobs(signs)
    assert (job.status, job.by, job.arguments) == ("done", "ann", {"ref": "signs"})


def test_a_page_that_comes_back_is_told_everything(signs, page):
    page.run(OPEN.format("validate_panel", ", 'signs'"))
    page.click("Validate")
    page.until(lambda: "samples of signs checked" in page.words())
    page.widgets = {}  # the page was closed; a new one asks the kernel
    page.send("comm_open", comm_id=page.control, target_name="jupyter.widget.control", data={})
    page.send("comm_msg", comm_id=page.control, data={"method": "request_states"})
    while True:
        message = page.client.get_iopub_msg(timeout=30)
        if message["content"].get("data", {}).get("method") == "update_states":
            break
    states = message["content"]["data"]["states"]
    told = json.dumps({key: one["state"] for key, one in states.items()})
    assert "5 samples of signs checked" in told and "Validate a data set" in told


def test_the_kernel_answers_while_work_goes_on_and_another_kernel_takes_over(signs, page, tmp_path):
    slow = write(tmp_path / "slow.ipynb", "side: int = 2", SLOW)
    page.run(OPEN.format("train_panel", f", {str(slow)!r}, by='ann'"))
    page.click("Run as step")
    page.until(lambda: "slow: running" in page.words())
    began = time.monotonic()
    assert page.run("print(6 * 7)") == "42\n" and time.monotonic() - began < 10
    other = Page(signs)
    try:
        other.run(OPEN.format("train_panel", f", {str(slow)!r}, by='ben'"))
        other.until(lambda: "slow: running" in other.words())
        other.click("Stop")
        other.until(lambda: "ben stopped it" in other.words())
    finally:
        other.close()
    page.until(lambda: "ben stopped it" in page.words())


def test_an_error_is_shown_with_its_remedy(page):
    page.run(OPEN.format("validate_panel", ", 'sings'"))
    page.click("Validate")
    page.until(lambda: "There is no dataset &#x27;sings&#x27;" in page.words())
    assert 'role="alert"' in page.words()


def test_run_returns_what_the_verb_returns_and_raises_what_it_says(signs, tmp_path):
    assert validate_panel(signs, "signs").run()["checked"] == 5
    with pytest.raises(MlopsError, match="There is no dataset"):
        validate_panel(signs, "sings").run()
    area = write(tmp_path / "area.ipynb", "side: int = 2", EMIT + "emit(area=side**2)")
    done = train_panel(signs, area, side=3).run()
    assert done["steps"]["area"]["outputs"] == {"area": 9}
    assert train_panel(signs, area).run(side=4)["steps"]["area"]["outputs"] == {"area": 16}
    with pytest.raises(MlopsError, match="is not in the workspace"):
        register_panel(signs).run(bundle=f"bundle:{'0' * 64}", name="signs")


def test_what_a_data_set_is_called_never_becomes_html(signs):
    panel = validate_panel(signs, "<img src=x onerror=alert(1)>")
    with pytest.raises(MlopsError):
        panel.run()
    assert "<img" not in panel.words.value and "&lt;img" in panel.words.value
    assert "<b>" not in shown("<b>", status="done")


def test_a_panel_begins_once_at_a_time_and_shows_a_job_that_a_terminal_began(signs, tmp_path):
    slow = write(tmp_path / "slow.ipynb", "side: int = 2", SLOW)
    began = start(signs, "run", {"notebook": str(slow)}, by="ann")
    panel = train_panel(signs, slow, by="ben")
    with pytest.raises(MlopsError, match="at work already"):
        panel.start()
    for state in watch_job(signs, began.id):
        if state.run and state.done:
            break
    panel.stop()
    assert panel.wait().status == "stopped" and panel.job.id == began.id
    assert "ben stopped it. Begin it again" in panel.words.value


def test_a_page_without_a_kernel_shows_what_was_said(signs):
    panel = validate_panel(signs, "signs")
    panel.run()
    kept = panel._repr_mimebundle_()
    assert "5 samples of signs checked" in kept["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in kept


KINDS = {
    "whole": ({"type": "integer", "default": 1}, 2),
    "part": ({"type": "number", "default": 0.5}, 0.25),
    "yes": ({"type": "boolean", "default": False}, True),
    "text": ({"type": "string", "default": "a"}, ""),
    "one of": ({"enum": ["a", None, 3], "default": "a"}, 3),
    "many": ({"type": "array", "items": {"type": "string"}, "default": ["a"]}, ["b", "c"]),
    "maybe": ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 1}, None),
    "needed": ({"type": "number"}, 3.5),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_parameter_has_a_field_that_gives_it_back(name):
    one, value = KINDS[name]
    form = form_of({"properties": {"it": one}, "required": [] if "default" in one else ["it"]})
    assert form.values() == {}
    assert form.fill(it=value).values() == {"it": value}
    if "default" in one:
        assert form.fill(it=one["default"]).values() == {}


def test_work_in_the_kernel_tells_errors_that_nobody_foresaw():
    def fails():
        raise KeyError("stop")

    form = form_of({"properties": {}, "required": []})
    panel = Panel(form, in_thread("fail", fails, by="ann"), str, title="Fail", label="Fail")
    with pytest.raises(MlopsError, match="KeyError: 'stop'"):
        panel.run()

    def refuses():
        raise DataError("It is empty. Ingest something.")

    panel = Panel(form, in_thread("fail", refuses, by="ann"), str, title="Fail", label="Fail")
    with pytest.raises(MlopsError, match="Ingest something"):
        panel.run()

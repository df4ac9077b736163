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
from mlops_nb.ledger import acts, record
from mlops_nb.monitor import reference
from mlops_nb.widgets import (
    drift_view,
    lineage_view,
    register_panel,
    train_panel,
    validate_panel,
)
from mlops_nb.widgets.drift import answered
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


def test_a_lineage_is_walked_from_the_page(signs, page):
    validate_panel(signs, "signs").run()
    data = acts(signs, verb="ingest")[-1].outputs[0]
    page.run(OPEN.format("lineage_view", ", 'signs'"))
    (view,) = (
        k for k, one in page.widgets.items() if one.get("_anywidget_id", "").endswith("LineageView")
    )
    assert page.widgets[view]["graph"]["root"] == data
    report = next(n["id"] for n in page.widgets[view]["graph"]["nodes"] if n["layer"] == 1)
    page.send("comm_msg", comm_id=view, data={"method": "custom", "content": {"of": report}})
    page.until(lambda: page.widgets[view]["graph"]["root"] == report)
    assert {n["id"]: n["layer"] for n in page.widgets[view]["graph"]["nodes"]}[data] == -1
    page.send(
        "comm_msg", comm_id=view, data={"method": "custom", "content": {"of": "blob:nothing"}}
    )
    page.until(lambda: "is not in this ledger" in page.widgets[view]["words"])


def test_a_layer_of_many_is_counted_and_a_circle_ends(ws):
    many, root = [f"img:{n:064d}" for n in range(300)], f"data:{'a' * 64}"
    record(ws, "collect", by="ann", inputs=many, outputs=[root])
    record(ws, "mend", by="ann", inputs=[root], outputs=many[:2])
    graph = lineage_view(ws, root).graph
    assert len(graph["nodes"]) < 30 and any(n["label"].startswith("and 29") for n in graph["nodes"])
    drawn = {n["id"] for n in graph["nodes"]}
    assert all({e["source"], e["target"]} <= drawn for e in graph["edges"])


def test_a_lineage_says_who_approved(ws):
    model, asked = f"bundle:{'b' * 64}", f"prop:{'c' * 64}"
    record(ws, "run", by="ann", outputs=[model])
    record(ws, "register", by="ann", inputs=[model], facts={"name": "signs", "version": 2})
    record(ws, "propose", by="ann", inputs=[model], outputs=[asked])
    record(ws, "approve", by="ben", inputs=[asked], facts={"comment": "it holds"})
    nodes = {one["id"]: one for one in lineage_view(ws, model).graph["nodes"]}
    assert nodes[model]["label"] == "signs@2"
    [yes] = nodes[asked]["done"]
    assert (yes["verb"], yes["by"], yes["said"]) == ("approve", "ben", "it holds")


def answers(first: int, last: int, sure: float) -> list[dict]:
    "What a model said about clips of four frames; so sure of a stop sign."
    rng = np.random.default_rng(first)
    return [{"at": f"2026-01-01T00:{n // 60:02d}:{n % 60:02d}.{k}Z", "image_id": f"img:{n}-{k}",
             "model_id": MODEL, "clip": f"drive-{n}", "drive": None, "outside": [], "predicted": "stop",
             "score": p, "scores": [p, 1 - p], "latency_ms": 1.0, "facts": {}}
            for n in range(first, last) for k in range(4)
            for p in [float(np.clip(rng.normal(sure, 0.03), 0.5, 0.999))]]  # fmt: skip


MODEL = f"bundle:{'a' * 64}"


def test_the_chart_moves_while_images_arrive_and_looking_pages_nobody(ws):
    path = ws.folder("predictions", "staging") / "log.jsonl"

    def arrive(*rows):
        with path.open("a") as out:
            out.writelines(json.dumps(row) + "\n" for row in rows)

    view = drift_view(ws, every_s=0.05, by="ben")
    assert view.error == "staging has not answered anything yet. Send it images."
    arrive(*answers(0, 60, 0.95))
    known = reference(answered(ws, "staging"), model_id=MODEL, classes=("stop", "yield"))
    view._known = known
    arrive(*answers(60, 100, 0.95))
    deadline = time.monotonic() + 120
    while not view.looks and time.monotonic() < deadline:
        time.sleep(0.02)
    assert view.looks and not view.alerts and view.error == ""
    before = len(view.looks)
    arrive(*answers(100, 150, 0.7))
    while not any(one["level"] == "page" for one in view.alerts) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(view.looks) > before and not acts(ws, verb="page")
    page = next(one for one in view.alerts if one["level"] == "page")
    assert view.run().paged and len(acts(ws, verb="page")) == 1
    view.acknowledge(page["id"], comment="It snows.")
    taken = next(one for one in view.alerts if one["id"] == page["id"])
    assert (taken["acknowledged_by"], taken["comment"]) == ("ben", "It snows.")
    assert "data:image/png" in view._repr_mimebundle_()[0]["text/html"]
    view.close()

"What is deployed as the panel shows it: health, latency, shift, alerts; and where everything came from."

import base64
import io
import json
from dataclasses import asdict

import numpy as np
import pytest
import worlds
from PIL import Image
from servers import fits, jupyter

from mlops_nb.ledger import acts, record
from mlops_nb.monitor import Alert, page
from mlops_nb.serve import classify, deploy, deployment, prediction_log, stop
from mlops_nb.workspace import open_workspace

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def ws(folder):
    return open_workspace(folder / "work" / ".mlops")


@pytest.fixture(scope="module")
def bundle(ws, folder):
    "A deployed model that was judged; it has answered about a few drives."
    made = worlds.bundle(folder / "bundles", 2)
    worlds.evaluated(ws, made.id, right=0.95)
    server = deploy(ws, made, name="staging", by="ann")
    for frame in range(40):
        classify(server, picture(frame), clip=f"drive-{frame // 8}")
    yield made.id
    stop(ws, "staging", by="ann")


@pytest.fixture(scope="module")
def server(folder, bundle):
    with jupyter(folder) as running:
        yield running


def picture(k):
    "An image file."
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), k % 256, np.uint8)).save(out, "PNG")
    return out.getvalue()


def paged(ws, bundle):
    "Somebody was woken."
    told = {"level": "page", "at_frame": 40, "at_clip": "drive-4", "statistic": "top_score"}
    told |= {"class_name": None, "before": 0.9, "after": 0.5, "p_adjusted": 1e-6}
    told |= {"threshold": 1e-4, "model_id": bundle, "sentence": "Page after 40 frames."}
    alert = Alert(**told)
    assert asdict(alert) == told
    page(ws, alert, deployment="staging", by="ann")
    return alert.id


def test_a_deployment_is_shown_without_its_token(server, document, ws, bundle):
    answer = server.get("deployments")
    [staging] = fits(document, "deployments", "get", answer)
    running = deployment(ws, "staging")
    assert staging["alive"] and staging["ready"] and staging["url"] == running.url
    assert staging["bundle"] == bundle and staging["requests"] == 40
    assert 0 < staging["latency_ms"]["p50"] <= staging["latency_ms"]["p99"]
    assert staging["shift"]["frames"] == 40 and staging["shift"]["clips"] >= 3
    assert running.token and running.token not in answer.text


def test_nothing_that_can_be_asked_tells_the_token(server, document, ws, bundle):
    token = deployment(ws, "staging").token
    asked = {"of": bundle, "bundle": bundle, "name": "signs", "id": "run:" + "0" * 32, "step": "x"}
    for path, methods in document["paths"].items():
        if "get" in methods:
            wanted = [one["name"] for one in methods["get"].get("parameters", [])]
            answer = server.get(path[1:], **{name: asked.get(name, "x") for name in wanted})
            assert token not in answer.text, path
    assert token not in server.log.read_text()


def test_images_are_sent_by_a_page_and_from_a_folder(server, document, ws, bundle):
    sent = [{"name": "a.png", "base64": base64.b64encode(picture(7)).decode()}]
    answer = server.post("deployments/classify", {"name": "staging", "images": sent})
    [said] = fits(document, "deployments/classify", "post", answer)
    assert said["image"] == "a.png" and said["label"] == "stop" and said["score"] > 0.5
    shots = server.root / "shots" / "stop"
    shots.mkdir(parents=True)
    for k in range(3):
        (shots / f"{k}.png").write_bytes(picture(50 + k))
    asked = {"name": "staging", "folder": "shots"}
    found = fits(
        document, "deployments/classify", "post", server.post("deployments/classify", asked)
    )
    assert len(found) == 3 and server.get("deployments").json()[0]["requests"] == 44
    for wrong, code in (({"name": "staging"}, 400), (asked | {"images": sent}, 400),
                        (asked | {"folder": "../elsewhere"}, 403), (asked | {"folder": "no"}, 404),
                        ({"name": "staging", "images": [{"name": "a", "base64": "?"}]}, 400),
                        (asked | {"name": "nobody"}, 400)):  # fmt: skip
        assert server.post("deployments/classify", wrong).status_code == code, wrong


def test_an_alert_is_open_until_somebody_takes_it_on(server, document, ws, bundle):
    alert = paged(ws, bundle)
    assert server.get("deployments").json()[0]["alerts"][0]["acknowledged_by"] is None
    seen = None
    for _ in range(600):  # the first status is answered while the worker still imports
        seen = fits(document, "status", "get", server.get("status"))["alerts"]
        if seen is not None:
            break
    assert seen == 1
    taken = server.post("alerts/acknowledge", {"id": alert, "comment": "Snow. We retrain."})
    [staging] = fits(document, "alerts/acknowledge", "post", taken)
    [told] = staging["alerts"]
    assert told["acknowledged_by"] == "ann" and told["comment"] == "Snow. We retrain."
    assert server.get("status").json()["alerts"] == 0
    assert server.post("alerts/acknowledge", {"id": "alert:0", "comment": ""}).status_code == 400


def test_the_monitor_looks_when_asked(server, document, ws, bundle):
    checked = server.post("deployments/check", {"name": "staging"})
    fits(document, "deployments/check", "post", checked)
    assert server.post("deployments/check", {"name": "nobody"}).status_code == 404


def test_lineage_of_a_model_and_of_a_prediction(server, document, ws, bundle):
    lock = worlds.put_blob(ws, b"numpy==2.1\n")
    facts = {"run": "run:" + "a" * 32, "step": "train", "commit": "c" * 40, "lock": lock,
             "python": "3.11.7"}  # fmt: skip
    record(ws, "run", by="ann", inputs=["data:" + "d" * 64], outputs=[bundle], facts=facts)
    graph = fits(document, "lineage", "get", server.get("lineage", of=bundle[:20]))
    nodes = {one["id"]: one for one in graph["nodes"]}
    assert graph["root"] == bundle and nodes[bundle]["layer"] == 0
    assert nodes["data:" + "d" * 64]["layer"] == -1
    assert {"commit:" + "c" * 40, lock} <= set(nodes)
    assert all(edge["source"] in nodes and edge["target"] in nodes for edge in graph["edges"])
    assert nodes[lock]["opens"] == {"type": "text", "target": lock, "step": ""}
    said = fits(document, "text", "get", server.get("text", id=lock))
    assert said == {"text": "numpy==2.1\n", "whole": True, "picture": None}
    gone = server.get("text", id="commit:" + "c" * 40).json()["text"]
    assert "is not on this machine" in gone and "git show cccc" in gone

    log = next(ws.path("predictions").glob("staging/*.jsonl"))
    image = json.loads(log.read_text().splitlines()[0])["image_id"]
    seen = fits(document, "lineage", "get", server.get("lineage", of=image))
    layers = {one["id"]: one["layer"] for one in seen["nodes"]}
    assert seen["root"] == image and layers[image] == 0 and layers[bundle] == -1
    [said] = [one for one in seen["edges"] if one["target"] == image]
    assert said["source"] == bundle and said["verb"] == "predict" and said["by"] == "staging"
    assert server.get("lineage", of=image[:12]).json()["root"] == image
    [node] = [one for one in seen["nodes"] if one["id"] == image]
    assert node["label"].startswith("stop 0.") and node["opens"]["type"] == "text"
    told = fits(document, "text", "get", server.get("text", id=image))
    assert "staging: stop, score 0." in told["text"] and bundle in told["text"]
    assert told["picture"] is None  # no data set has it
    ambiguous = server.get("lineage", of="img:")
    assert ambiguous.status_code == 404 and "Pass more of the id" in ambiguous.json()["message"]
    for unknown in ("img:" + "0" * 64, "bundle:" + "0" * 64, "nobody@v1"):
        assert server.get("lineage", of=unknown).status_code == 404, unknown
    assert server.get("text", id="blob:" + "0" * 64).status_code == 404


def test_what_is_answered_after_a_look_is_counted_too(server, ws, bundle):
    "Each line is read once, and by each deployment of a bundle for itself."
    first = server.get("deployments").json()[0]
    running = deployment(ws, "staging")
    for k in range(16):
        classify(running, picture(k), clip=f"later-{k // 8}")
    deploy(ws, bundle, name="second", by="ann")
    second, staging = server.get("deployments").json()
    assert second["name"] == "second" and second["requests"] == 0 and second["shift"] is None
    assert staging["requests"] == first["requests"] + 16
    assert staging["shift"]["frames"] == first["shift"]["frames"] + 16
    stop(ws, "second", by="ann")


def test_images_sent_by_hand_are_no_drives(server, document, ws, bundle):
    "Three hundred photographs would else outweigh every drive, and page."
    before = set(prediction_log(ws, "staging")["clip"].to_pylist())
    images = [{"name": f"photo {k}x.png", "base64": base64.b64encode(picture(k)).decode()}
              for k in range(60)]  # fmt: skip
    asked = {"name": "staging", "images": images}
    said = fits(
        document, "deployments/classify", "post", server.post("deployments/classify", asked)
    )
    assert len(said) == 60 and said[0]["image_id"].startswith("img:")
    assert len(set(prediction_log(ws, "staging")["clip"].to_pylist()) - before) == 1
    assert server.get("lineage", of=said[3]["image_id"]).json()["root"] == said[3]["image_id"]


def test_a_folder_that_a_page_sends_keeps_its_drives(server, ws, bundle):
    rows = "".join(f"stop/{k}.png,stop,tour-{k // 4}\n" for k in range(8))
    files = {f"tour/stop/{k}.png": picture(100 + k) for k in range(8)}
    files["tour/metadata.csv"] = b"file_name,class,drive\n" + rows.encode()
    images = [{"name": n, "base64": base64.b64encode(d).decode()} for n, d in files.items()]
    said = server.post("deployments/classify", {"name": "staging", "images": images}).json()
    assert len(said) == 8
    assert prediction_log(ws, "staging")["clip"].to_pylist()[-8:] == ["tour-0"] * 4 + ["tour-1"] * 4
    images[0]["name"] = "tour/../../elsewhere.png"
    out = server.post("deployments/classify", {"name": "staging", "images": images})
    assert out.status_code == 400 and "leads out of its folder" in out.json()["message"]


def test_an_alert_leads_to_its_deployment(server, ws, bundle):
    nodes = server.get("lineage", of=bundle).json()["nodes"]
    [alert] = [one for one in nodes if one["kind"] == "alert"]
    assert alert["opens"] == {"type": "deployment", "target": "staging", "step": ""}
    [taken] = alert["done"]
    assert taken["verb"] == "acknowledge" and taken["said"] == "Snow. We retrain."


def test_a_deployment_is_stopped(server, document, ws, bundle):
    answer = server.post("deployments/stop", {"name": "staging"})
    assert fits(document, "deployments/stop", "post", answer) == []
    assert acts(ws, verb="stop")[-1].by == "ann"
    assert server.post("deployments/stop", {"name": "nobody"}).status_code == 404

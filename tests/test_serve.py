"Real server processes on loopback: same answers, bad callers, bad days, nothing left behind."

import http.client
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mlops_nb.images.pixels import encode, image_id
from mlops_nb.ledger import acts
from mlops_nb.model.bundles import _sha256, _write_bundle
from mlops_nb.model.prediction import predict
from mlops_nb.serve import (
    classify,
    classify_many,
    deploy,
    deployment,
    deployments,
    operate,
    prediction_log,
    refused_log,
    stop,
)
from mlops_nb.serve import log as log_module
from mlops_nb.serve.log import PredictionLog, PredictionsSoFar, log_line, read_facts, refused_line
from mlops_nb.serve.protocol import encode_infer, parse_infer
from mlops_nb.workspace import ServeError, open_workspace

pytestmark = [
    # gevent, under tritonclient, is imported after ssl and says so.
    pytest.mark.filterwarnings("ignore:Monkey-patching:Warning"),
]

CLASSES = ("dark", "grey", "bright")


def write_bundle(folder, seed=0, model=None, rules=None):
    "A bundle with a small convolution, made without torch so that these tests start quickly."
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(seed)
    constants = {
        "size": np.array([16, 16]),
        "kernel": draw.normal(0, 0.01, (8, 3, 3, 3)).astype(np.float32),
        "head": draw.normal(0, 2, (8, 3)).astype(np.float32),
        "two": np.array([2, 3]),
    }
    # Chosen so that the scores tip over at a medium brightness, 110.
    level = constants["kernel"].sum((1, 2, 3)).clip(min=0)
    constants["offset"] = -110 * level @ constants["head"]
    resize = {"mode": "linear", "antialias": 1, "axes": [2, 3]}
    nodes = [
        helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Resize", ["planes", "", "", "size"], ["small"], **resize),
        helper.make_node("Conv", ["small", "kernel"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["positive"]),
        helper.make_node("ReduceMean", ["positive", "two"], ["level"], keepdims=0),
        helper.make_node("MatMul", ["level", "head"], ["tilted"]),
        helper.make_node("Add", ["tilted", "offset"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(made)
    raw = model or made.SerializeToString()
    contents = {
        "format": 1,
        "classes": list(CLASSES),
        "thresholds": {},
        **({"input_rules": rules} if rules else {}),
        "preprocessing": {"size": [16, 16], "mean": [0, 0, 0], "std": [1, 1, 1]},
        "data": "data:" + "0" * 64,
        "run": f"run:{seed}",
        "commit": None,
        "parity": {"n": 0, "max_abs_score_diff": 0.0, "labels_equal": True},
        "files": {"model.onnx": _sha256(raw)},
    }
    return _write_bundle(folder, contents, {"model.onnx": raw})


def pictures(n, seed=0):
    "Images of different sizes and brightness."
    draw = np.random.default_rng(seed)
    sides = draw.integers(15, 120, (n, 2))
    floor = draw.integers(0, 200, n)
    return [
        (low + draw.integers(0, 56, (*side, 3))).astype(np.uint8)
        for low, side in zip(floor, sides, strict=True)
    ]


def gone(pid: int) -> bool:
    "Has a process ended? Whoever started it may not have noticed yet."
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def shared(tmp_path_factory, bundle):
    "One running deployment for the tests that only ask."
    ws = open_workspace(tmp_path_factory.mktemp("shared") / "workspace")
    running = deploy(ws, bundle)
    yield ws, running
    assert stop(ws) and gone(running.pid)


@pytest.fixture
def tidy(ws):
    "A workspace whose servers are stopped whatever the test did."
    yield ws
    for home in ws.path("deployments").glob("*"):
        stop(ws, home.name)


@pytest.fixture
def ask(shared):
    "A plain HTTP client with the token."
    running = shared[1]
    headers = {"authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client:
        yield client


# -- the same answer everywhere


def test_served_as_in_the_notebook(shared, bundle):
    import tritonclient.http as triton

    running = shared[1]
    images = pictures(60)
    expected = predict(bundle, images)
    assert len(set(expected.labels)) > 1
    headers = {"authorization": f"Bearer {running.token}"}
    client = triton.InferenceServerClient(urlsplit(running.url).netloc)
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("staging", headers=headers)
    about = client.get_model_metadata("staging", headers=headers)
    assert about["parameters"]["classes"] == list(CLASSES)
    assert client.get_server_metadata(headers=headers)["extensions"] == ["binary_tensor_data"]
    for binary in (False, True):
        for k, image in enumerate(images):
            tensor = triton.InferInput("images", [1, *image.shape], "UINT8")
            tensor.set_data_from_numpy(image[None], binary_data=binary)
            outputs = [triton.InferRequestedOutput("scores", binary_data=binary)]
            reply = client.infer("staging", [tensor], outputs=outputs, headers=headers)
            assert (reply.as_numpy("scores")[0] == expected.scores[k]).all()
    client.close()
    answers = classify_many(running, [encode(image) for image in images])
    assert tuple(answer.label for answer in answers) == expected.labels
    scores = np.float32([list(answer.scores.values()) for answer in answers])
    assert (scores == expected.scores).all()
    assert all(answer.model_id == bundle.id for answer in answers)


def test_a_batch_is_answered_as_its_images(shared, ask, bundle):
    batch = np.stack([pictures(1, seed)[0][:15, :15] for seed in range(5)])
    tensor = {"name": "images", "datatype": "UINT8", "shape": list(batch.shape)}
    body = {"id": "7", "inputs": [tensor | {"data": batch.tolist()}]}
    path = "/v2/models/staging/versions/" + bundle.id[7:19] + "/infer"
    reply = ask.post(path, json=body).json()
    scores = np.float32(reply["outputs"][0]["data"]).reshape(5, 3)
    assert (scores == predict(bundle, list(batch)).scores).all()
    assert reply["id"] == "7"


def test_multipart_and_facts_reach_the_log(shared, ask):
    ws, _ = shared
    data = encode(pictures(1, 77)[0])
    form = {"clip": "drive-5 é", "facts": '{"weather": "snow", "drive": "drive-5", "speed": 3.5}'}
    reply = ask.post("/v2/models/staging/classify", files={"image": data}, data=form)
    assert reply.json()["image_id"] == image_id(data)
    row = prediction_log(ws, "staging").to_pylist()[-1]
    assert (row["clip"], row["drive"], row["image_id"]) == ("drive-5 é", "drive-5", image_id(data))
    assert json.loads(row["facts"]) == {"weather": "snow", "drive": "drive-5", "speed": 3.5}
    assert row["predicted"] == reply.json()["label"]
    assert np.float32(row["scores"]).tolist() == list(reply.json()["scores"].values())


# -- callers who get it wrong


def test_only_health_is_open(shared):
    url = shared[1].url
    get, post = httpx.get, httpx.post
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert get(url + path).json()["ready"] is True
    wrong = [{}, {"authorization": "Bearer nonsense"}, {"authorization": shared[1].token}]
    for headers in (*wrong, {"authorization": "Bearer \xff".encode("latin-1")}):
        for path in (
            "/v2",
            "/metrics",
            "/v2/models/staging",
            "/elsewhere",
            "/v2/models/staging/ready",
        ):
            assert get(url + path, headers=headers).status_code == 401
        for verb in ("infer", "classify"):
            reply = post(f"{url}/v2/models/staging/{verb}", headers=headers, content=b"x")
            assert reply.status_code == 401 and "token" in reply.json()["error"]


TENSOR = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 2, 3], "data": [0, 1, 2, 3, 4, 5]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"datatype": "FP32"}, "UINT8"),
        ({"datatype": None}, "UINT8"),
        ({"name": "pixels"}, "'images'"),
        ({"shape": [1, 2, 3]}, "N, height, width, 3"),
        ({"shape": [0, 1, 2, 3]}, "N, height, width, 3"),
        ({"shape": [1, 1, 3, 2]}, "N, height, width, 3"),
        ({"shape": [1, -1, -2, 3]}, "N, height, width, 3"),
        ({"shape": [1, True, 2, 3]}, "N, height, width, 3"),
        ({"shape": [10**9, 10**9, 10**9, 3]}, "6 values"),
        ({"data": [0, 1, 2, 3, 4]}, "5 values"),
        ({"data": [0, 1, 2, 3, 4, 256]}, "0 to 255"),
        ({"data": [0, 1, 2, 3, 4, -1]}, "0 to 255"),
        ({"data": [0, 1, 2, 3, 4, 0.5]}, "0 to 255"),
        ({"data": [0, 1, 2, 3, 4, 10**30]}, "0 to 255"),
        ({"data": [[0, 1], [2]]}, "."),
        ({"data": None}, "0 to 255"),
        ({"data": "AAAAAA"}, "0 to 255"),
        ({"parameters": {"binary_data_size": 6}}, "6 bytes"),
        ({"parameters": [1]}, "JSON type"),
    ],
)
def test_a_wrong_tensor_is_400_in_two_sentences(ask, change, said):
    reply = ask.post("/v2/models/staging/infer", json={"inputs": [TENSOR | change]})
    assert reply.status_code == 400
    message = reply.json()["error"]
    assert said in message and message.rstrip().endswith(".") and ". " in message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"inputs": []}',
        b'{"inputs": 3}',
        b'{"inputs": [3]}',
        b'{"inputs": [{"name": "images"}]}',
        b'{"inputs": NaN}',
        json.dumps({"inputs": [TENSOR], "outputs": [{"name": "boxes"}]}).encode(),
        json.dumps({"inputs": [TENSOR], "outputs": 3}).encode(),
        json.dumps({"inputs": [TENSOR], "parameters": [1]}).encode(),
        json.dumps({"inputs": [TENSOR], "parameters": {"facts": "[NaN]"}}).encode(),
        json.dumps(
            {
                "inputs": [TENSOR],
                "outputs": [{"name": "scores", "parameters": {"classification": 2}}],
            }
        ).encode(),
    ],
)
def test_a_wrong_body_is_400(ask, body):
    reply = ask.post("/v2/models/staging/infer", content=body)
    assert reply.status_code == 400 and ". " in reply.json()["error"]


@pytest.mark.parametrize("size", ["x", "-1", "99999", "0", "²"])
def test_a_wrong_json_length_is_400(ask, size):
    headers = {"Inference-Header-Content-Length": size.encode()}
    body = json.dumps({"inputs": [TENSOR]})
    reply = ask.post("/v2/models/staging/infer", content=body, headers=headers)
    assert reply.status_code == 400


def test_bad_images_paths_and_methods(ask):
    whole = encode(pictures(1)[0])
    for data in (b"", b"nonsense", whole[: len(whole) // 2], whole[:30]):
        reply = ask.post("/v2/models/staging/classify", content=data)
        assert reply.status_code == 400 and ". " in reply.json()["error"]
    assert ask.post("/v2/models/staging/classify", data={"a": "b"}).status_code == 400
    form = ask.post("/v2/models/staging/classify", files={"picture": whole})
    assert form.status_code == 400 and "'image'" in form.json()["error"]
    facts = ask.post("/v2/models/staging/classify?facts=[1", content=whole)
    assert facts.status_code == 400 and "facts" in facts.json()["error"]
    for path in ("/v2/models/production", "/v2/models/staging/versions/9", "/elsewhere"):
        assert ask.get(path).status_code == 404
        assert "error" in ask.get(path).json()
    assert "'staging'" in ask.get("/v2/models/production").json()["error"]
    assert ask.get("/v2/models/staging/infer").status_code == 405


def test_a_body_too_large_is_413_however_it_comes(ask):
    size = 33 * 2**20
    assert ask.post("/v2/models/staging/classify", content=bytes(size)).status_code == 413
    pieces = (bytes(2**20) for _ in range(33))
    reply = ask.post("/v2/models/staging/classify", content=pieces)
    assert reply.status_code == 413 and "33,554,432" in reply.json()["error"]


@given(some.binary(max_size=200), some.none() | some.integers(-5, 250))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_parser_fall_over(body, size):
    with pytest.raises(ValueError, match=r"\. "):
        parse_infer(body, json_size=size)


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)


@given(some.sampled_from(["name", "datatype", "shape", "data", "parameters"]), json_values)
@settings(max_examples=300, deadline=None)
def test_no_json_makes_the_parser_fall_over(key, value):
    body = json.dumps({"inputs": [TENSOR | {key: value}], "outputs": value or None}).encode()
    try:
        assert parse_infer(body).images.shape == (1, 1, 2, 3)
    except ValueError as err:
        assert ". " in str(err)


@given(some.lists(some.floats(0, 1, width=32), min_size=1, max_size=9), some.booleans())
@settings(deadline=None)
def test_scores_cross_the_wire_to_the_last_bit(values, binary):
    scores = np.float32([values])
    parameters = {"binary_data_output": binary}
    request = parse_infer(json.dumps({"inputs": [TENSOR], "parameters": parameters}).encode())
    body, size = encode_infer(request, scores, name="a", version="1")
    back = np.frombuffer(body[size:], "<f4") if binary else json.loads(body)["outputs"][0]["data"]
    assert (np.float32(back) == scores[0]).all()


def test_nan_never_leaves():
    request = parse_infer(json.dumps({"inputs": [TENSOR]}).encode())
    with pytest.raises(ValueError, match="not finite"):
        encode_infer(request, np.float32([[np.nan]]), name="a", version="1")


def test_too_many_at_once_are_told_to_come_back(bundle, tmp_path):
    import asyncio

    from mlops_nb.serve import server

    log = PredictionLog(tmp_path)
    parts = {"log": log, "metrics": server.Metrics(bundle, "staging")}
    service = server.Service(bundle, "staging", **parts, pool=ThreadPoolExecutor(1))
    service.waiting = server.MAX_WAITING

    async def scene():
        transport = httpx.ASGITransport(server.app(service, "t"))
        headers = {"authorization": "Bearer t"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://x", headers=headers
        ) as client:
            full = await client.post("/v2/models/staging/classify", content=b"x")
            health = await client.get("/v2/health/live")
            service.waiting = 0
            free = await client.post("/v2/models/staging/classify", content=b"x")
        return full, health, free, service.waiting

    full, health, free, waiting = asyncio.run(scene())
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert (health.status_code, free.status_code, waiting) == (200, 400, 0)
    log.close()


# -- what the server says about itself


def test_metrics_count_what_happened(shared, ask, bundle):
    from prometheus_client.parser import text_string_to_metric_families

    def scrape():
        families = text_string_to_metric_families(ask.get("/metrics").text)
        return {(s.name, *sorted(s.labels.items())): s.value for f in families for s in f.samples}

    before = scrape()
    image = pictures(1, 5)[0]
    classify(shared[1], encode(image))
    ask.post("/v2/models/staging/classify", content=b"bad")
    after = scrape()
    route = ("route", "/v2/models/{name}/classify")
    label = predict(bundle, [image]).labels[0]

    def grew(*key):
        return after[key] - before.get(key, 0)

    assert grew("mlops_nb_predictions_total", ("label", label)) == 1
    assert grew("mlops_nb_requests_total", ("code", "200"), route) == 1
    assert grew("mlops_nb_requests_total", ("code", "400"), route) == 1
    assert grew("mlops_nb_request_seconds_count", route) == 2
    assert all(("mlops_nb_predictions_total", ("label", name)) in after for name in CLASSES)


def test_the_server_carries_no_heavy_guest(shared):
    code = """
import sys
sys.argv = ["mlops_nb.serve"]
from mlops_nb.serve import server
from mlops_nb.serve.server import app, main
import uvicorn, prometheus_client, starlette.applications, onnxruntime
heavy = {"torch", "mlflow", "lance", "onnx", "sqlalchemy", "pyarrow", "pandas", "scipy",
         "matplotlib", "papermill", "fiftyone", "IPython", "psutil"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    mapped = {entry.path for entry in psutil.Process(shared[1].pid).memory_maps()}
    assert not [path for path in mapped if "torch" in path or "/lance" in path or "arrow" in path]


def test_the_token_is_seen_by_its_owner_only(shared):
    ws, running = shared
    process = psutil.Process(running.pid)
    assert len(running.token) >= 32 and running.token not in repr(running)
    assert running.token not in " ".join(process.cmdline())
    assert running.token not in " ".join(process.environ().values())
    path = ws.path("deployments", "staging", "token")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    others = [p for p in path.parent.rglob("*") if p.is_file() and p != path]
    assert not [p for p in others if running.token.encode() in p.read_bytes()]


def test_the_server_leads_its_own_group_on_loopback(shared):
    running = shared[1]
    assert os.getpgid(running.pid) == running.pid != os.getpgid(0)
    listening = psutil.Process(running.pid).net_connections(kind="inet")
    assert {c.laddr.ip for c in listening if c.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


# -- the log


def fill(folder, n=5, **extra):
    log = PredictionLog(folder)
    for k in range(n):
        scores = np.float32([0.25, 0.25, 0.5])
        told = {"facts": read_facts({"clip": "c"}), "latency_ms": 1.0}
        log.append([log_line(extra["bundle"], f"img:{k}", scores, **told)])
    log.close()
    return max(folder.iterdir())


def test_a_torn_last_line_is_left_out_at_every_byte(ws, bundle):
    path = fill(ws.path("predictions", "staging"), bundle=bundle)
    raw = path.read_bytes()
    last = raw[:-1].rfind(b"\n") + 1
    for cut in range(last, len(raw)):
        path.write_bytes(raw[:cut])
        assert len(prediction_log(ws, "staging")) == 4
    path.write_bytes(raw)
    assert len(prediction_log(ws, "staging")) == 5


def test_damage_in_the_middle_is_named(ws, bundle):
    path = fill(ws.path("predictions", "staging"), bundle=bundle)
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:30]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(ServeError, match="Line 3 of"):
        prediction_log(ws, "staging")


def test_the_log_is_filtered_by_model_and_time(ws, bundle):
    fill(ws.path("predictions", "staging"), bundle=bundle)
    times = prediction_log(ws, "staging")["at"].to_pylist()
    assert times == sorted(times)
    assert len(prediction_log(ws, "staging", since=times[3])) == 2
    assert len(prediction_log(ws, "staging", since="2000-01-01T00:00:00Z")) == 5
    assert len(prediction_log(ws, "staging", model_id=bundle.id)) == 5
    assert len(prediction_log(ws, "staging", model_id="bundle:other")) == 0
    image = prediction_log(ws, "staging")["image_id"][2].as_py()
    assert set(prediction_log(ws, "staging", image_id=image[:20])["image_id"].to_pylist()) == {
        image
    }
    assert len(prediction_log(ws, "staging", image_id="img:none")) == 0
    assert len(prediction_log(ws, "nobody")) == 0
    with pytest.raises(ServeError, match="not a time"):
        prediction_log(ws, "staging", since="yesterday")


@settings(max_examples=20, deadline=None)
@given(some.lists(some.integers(1, 400), min_size=1, max_size=8), some.data())
def test_a_log_that_grows_by_any_bytes_is_read_as_a_whole_one(tmp_path_factory, bundle, cuts, data):
    "Facts that Arrow cannot read, refused images and another model's answers among the lines."
    ws = open_workspace(tmp_path_factory.mktemp("grows"))
    folder = ws.path("predictions", "staging")
    lines, growing = [], PredictionsSoFar(ws, "staging", model_id=bundle.id)
    for k in range(12):
        facts = data.draw(some.sampled_from(["{}", '{"weather": "snow"}', '{"odd": "\\ud800"}']))
        told = {"facts": read_facts({"clip": f"c{k}", "facts": facts})}
        who = replace(bundle, id="bundle:other") if k % 5 == 3 else bundle
        scores = {"scores": np.float32([0.25, k / 20, 0.5]), "latency_ms": k + 0.5}
        refused = k % 4 == 2
        lines.append(refused_line(who, f"img:{k}", ["A4"], **told) if refused else
                     log_line(who, f"img:{k}", **scores, **told))  # fmt: skip
    raw, read = "".join(line + "\n" for line in lines).encode(), []
    folder.mkdir(parents=True)
    middle = raw.index(b"\n", len(raw) // 2) + 1
    for name, whole in (("1.jsonl", raw[:middle]), ("2.jsonl", raw[middle:])):
        at = 0
        while at < len(whole):
            step = cuts[at % len(cuts)]
            with (folder / name).open("ab") as file:
                file.write(whole[at : at + step])
            at += step
            read += growing.more().to_pylist()
    known = prediction_log(ws, "staging", model_id=bundle.id).select(list(read[0])).to_pylist()
    assert read == known and growing.is_whole
    (folder / "2.jsonl").unlink()
    assert not growing.is_whole


def test_damage_in_a_log_that_grows_is_named(ws, bundle):
    path = fill(ws.path("predictions", "staging"), bundle=bundle)
    growing = PredictionsSoFar(ws, "staging", model_id=bundle.id)
    assert growing.more().num_rows == 5
    with path.open("ab") as file:
        file.write(b'{"at": \n')
    for _ in range(2):
        with pytest.raises(ServeError, match="Line 6 of"):
            growing.more()


def test_many_threads_write_whole_lines_over_several_segments(ws, bundle, monkeypatch):
    monkeypatch.setattr(log_module, "SEGMENT_BYTES", 20_000)
    folder = ws.path("predictions", "staging")
    log = PredictionLog(folder)
    told = {"facts": read_facts({}), "latency_ms": 1.0}

    def write(worker):
        for k in range(100):
            lines = [log_line(bundle, f"img:{worker}-{k}", np.float32([1, 0, 0]), **told)] * 2
            log.append(lines)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    log.close()
    names = prediction_log(ws, "staging")["image_id"].to_pylist()
    assert len(names) == 1600 and len(set(names)) == 800
    assert len(list(folder.iterdir())) > 10


def test_a_full_disk_leaves_whole_lines_and_an_error(ws, bundle):
    folder = ws.path("predictions", "staging")
    log = PredictionLog(folder)
    line = "x" * 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2500, hard))
    try:
        log.append([line])
        log.append([line])
        with pytest.raises(OSError, match="."):
            log.append([line])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.append([line])
    log.close()
    (path,) = folder.iterdir()
    assert path.read_text() == (line + "\n") * 3


# -- bad days


def test_what_is_acknowledged_is_logged_even_by_a_killed_server(tidy, bundle):
    running = deploy(tidy, bundle)
    files = [encode(image) for image in pictures(400, seed=9)]
    heard = []

    def caller(mine):
        for data in mine:
            try:
                heard.append(classify(running, data).image_id)
            except ServeError:
                return

    callers = [threading.Thread(target=caller, args=(files[k::4],)) for k in range(4)]
    for each in callers:
        each.start()
    while len(heard) < 40:
        time.sleep(0.005)
    os.kill(running.pid, signal.SIGKILL)
    for each in callers:
        each.join()
    logged = set(prediction_log(tidy, "staging")["image_id"].to_pylist())
    assert 40 <= len(set(heard)) < 400 and set(heard) <= logged
    with pytest.raises(ServeError, match="has died"):
        deployment(tidy)
    assert deployments(tidy) == ()
    again = deploy(tidy, bundle)
    assert classify(again, files[0]).image_id == image_id(files[0])
    assert logged < set(prediction_log(tidy, "staging")["image_id"].to_pylist()) | {"more"}


def test_a_prediction_that_cannot_be_logged_is_not_given_out(tidy, bundle):
    running = deploy(tidy, bundle)
    data = encode(pictures(1)[0])
    classify(running, data)
    size = sum(path.stat().st_size for path in tidy.path("predictions", "staging").iterdir())
    process = psutil.Process(running.pid)
    process.rlimit(psutil.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
    with pytest.raises(ServeError, match=r"503: The prediction could not be logged"):
        classify(running, data)
    process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    classify(running, data)
    assert len(prediction_log(tidy, "staging")) == 2


def test_stop_answers_what_is_in_flight(tidy, bundle):
    running = deploy(tidy, bundle)
    address = urlsplit(running.url)
    batch = np.zeros((3000, 48, 48, 3), np.uint8)
    tensor = {"name": "images", "datatype": "UINT8", "shape": list(batch.shape)}
    tensor["parameters"] = {"binary_data_size": batch.nbytes}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {
        "authorization": f"Bearer {running.token}",
        "Inference-Header-Content-Length": str(len(head)),
    }
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.request("POST", "/v2/models/staging/infer", head + batch.tobytes(), headers)
    time.sleep(0.1)
    assert stop(tidy)
    assert gone(running.pid)
    reply = connection.getresponse()
    assert reply.status == 200 and len(json.loads(reply.read())["outputs"][0]["data"]) == 9000
    connection.close()
    assert len(prediction_log(tidy, "staging")) == 3000
    assert stop(tidy) is False
    assert not tidy.path("deployments", "staging", "token").exists()


def test_replaced_without_a_gap(tidy, bundle, tmp_path):
    other = write_bundle(tmp_path / "other", seed=1)
    before = deploy(tidy, bundle)
    data, done, models = encode(pictures(1)[0]), threading.Event(), []

    def caller():
        while not done.is_set():
            models.append(classify(before, data).model_id)

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(caller) for _ in range(2)]
        after = deploy(tidy, other, by="Ada")
        done.set()
        for call in calls:
            call.result()
    assert (after.url, after.token) == (before.url, before.token)
    assert gone(before.pid) and deployment(tidy) == after
    assert models[0] == bundle.id and classify(before, data).model_id == other.id
    assert len(prediction_log(tidy, "staging")) >= len(models)
    last = acts(tidy, verb="deploy")[-1]
    assert (last.by, last.inputs, last.facts["replaces"]) == ("Ada", (other.id,), bundle.id)


def test_a_used_port_is_one_clear_error(tidy, bundle):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServeError, match=f"Port {port} on 127.0.0.1 is in use"):
            deploy(tidy, bundle, port=port)
    running = deploy(tidy, bundle, port=port)
    assert running.url.endswith(f":{port}")
    with pytest.raises(ServeError, match="in use"):
        deploy(tidy, bundle, name="production", port=port)
    with pytest.raises(ServeError, match="no port number"):
        deploy(tidy, bundle, name="production", port=99999)
    assert deployments(tidy) == (running,)


def test_a_server_that_dies_at_the_start_is_quoted(tidy, tmp_path):
    broken = write_bundle(tmp_path / "broken", model=b"this is no graph")
    with pytest.raises(ServeError, match=r"(?s)before it was ready.*InvalidProtobuf") as caught:
        deploy(tidy, broken)
    assert "deploy again" in str(caught.value)
    assert not operate._servers(tidy.path("deployments", "staging"))


def test_a_failed_replacement_leaves_the_old_one_answering(tidy, bundle, tmp_path):
    running = deploy(tidy, bundle)
    broken = write_bundle(tmp_path / "broken", model=b"this is no graph")
    with pytest.raises(ServeError, match="before it was ready"):
        deploy(tidy, broken)
    assert deployment(tidy) == running
    assert classify(running, encode(pictures(1)[0])).model_id == bundle.id


DEPLOY_AND_DIE = """
import os, sys
from mlops_nb.workspace import open_workspace
from mlops_nb.serve import operate
if sys.argv[3] == "early":
    operate._await_ready = lambda *_: os.kill(os.getpid(), 9)
operate.deploy(open_workspace(sys.argv[1]), sys.argv[2])
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("when", ["early", "late"])
def test_a_server_whose_parent_was_killed_is_found_and_replaced(tidy, bundle, when):
    words = [sys.executable, "-c", DEPLOY_AND_DIE, str(tidy.root), str(bundle.folder), when]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    (orphan,) = operate._servers(tidy.path("deployments", "staging"))
    assert len(deployments(tidy)) == (when == "late")
    after = deploy(tidy, bundle)
    assert after.pid != orphan.pid and gone(orphan.pid)
    (only,) = operate._servers(tidy.path("deployments", "staging"))
    assert only.pid == after.pid
    assert classify(after, encode(pictures(1)[0])).model_id == bundle.id


def test_a_stale_record_never_ends_a_stranger(ws):
    home = ws.folder("deployments", "staging")
    (home / "20260101T000000-00").mkdir()
    told = {"name": "staging", "url": "http://127.0.0.1:1", "pid": os.getpid()}
    told |= {"bundle_id": "bundle:0", "started_at": "", "instance": "20260101T000000-00"}
    (home / "deployment.json").write_text(json.dumps(told))
    (home / "token").write_text("t")
    assert deployments(ws) == ()
    with pytest.raises(ServeError, match="has died"):
        deployment(ws)
    assert stop(ws) is False


@pytest.mark.parametrize("name", ["", "../x", "Staging", "a/b", "x" * 64, "-a"])
def test_a_bad_name_is_refused(ws, bundle, name):
    with pytest.raises(ServeError, match="cannot name a deployment"):
        deploy(ws, bundle, name=name)


def test_a_client_of_nobody_hears_it(ws, shared):
    from dataclasses import replace

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = replace(shared[1], url=f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(ServeError, match="does not answer"):
        classify(gone, b"x")
    with pytest.raises(ServeError, match="answered 401"):
        classify(replace(shared[1], token="wrong"), b"x")
    with pytest.raises(ServeError, match="answered 400"):
        classify(shared[1], b"x")
    with pytest.raises(ServeError, match="no deployment 'staging'"):
        deployment(ws)
    assert stop(ws) is False


# -- the input rules of the contract


@pytest.fixture(scope="module")
def ruled(tmp_path_factory):
    "A server whose bundle carries rules: 40 x 30 from `front`, darkness refused, odd shapes counted."
    from mlops_nb.data import Contract

    strict = Contract.from_toml(
        'severity = {A4 = "E", A6 = "E"}\n[sensors.front]\nsizes = [[40, 30]]\n'
        "[frames]\nmin_brightness = 0.2\nmin_entropy_bits = 3.0\n"
    )
    ws = open_workspace(tmp_path_factory.mktemp("ruled") / "workspace")
    bundle = write_bundle(tmp_path_factory.mktemp("ruled") / "b", rules=strict.input_rules())
    running = deploy(ws, bundle)
    headers = {"authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=running.url, headers=headers, trust_env=False) as client:
        yield ws, client, strict
    assert stop(ws)


def frame(low=100, size=(30, 40), spread=56, seed=0):
    return (low + np.random.default_rng(seed).integers(0, spread, (*size, 3))).astype(np.uint8)


def test_what_the_contract_calls_an_error_is_refused_and_counted(ruled):
    from mlops_nb.monitor import outside_rules

    ws, client, strict = ruled
    about = client.get("/v2/models/staging").json()["parameters"]["input_rules"]
    assert about == strict.input_rules() and about["refuse"][0] == "sizes"

    def classify_one(image, **facts):
        where = "/v2/models/staging/classify"
        return client.post(where, content=encode(image), params={"drive": "d1"} | facts)

    good = classify_one(frame())
    assert good.status_code == 200
    for image, facts, said in [
        (frame(0, spread=20), {}, "brightness: Its mean brightness is 0.0"),
        (frame(size=(30, 30)), {}, "sizes: It is 30 x 30 px, and the cameras give 40 x 30"),
        (frame(size=(30, 30)), {"sensor": "front"}, "sizes: It is 30 x 30 px, and front gives"),
    ]:
        answer = classify_one(image, **facts)
        assert answer.status_code == 400 and said in answer.json()["error"]
        assert "Send camera frames" in answer.json()["error"]
    flat = classify_one(frame(spread=2))  # a warning: it is answered, and noted
    assert flat.status_code == 200
    log, refused = prediction_log(ws, "staging"), refused_log(ws, "staging")
    assert log["outside"].to_pylist() == [[], ["min_entropy_bits"]]
    assert refused["refused"].to_pylist() == [
        ["brightness"],
        ["sizes"],
        ["sizes"],
    ]
    assert refused["clip"].to_pylist() == ["d1"] * 3
    shares = outside_rules(log, refused)
    assert {rule: round(one.value, 2) for rule, one in shares.items()} == {
        "any": 0.8, "brightness": 0.2, "min_entropy_bits": 0.2, "sizes": 0.4}  # fmt: skip
    scraped = client.get("/metrics").text
    assert 'mlops_nb_outside_total{outcome="refused",rule="sizes"} 2.0' in scraped
    assert 'mlops_nb_outside_total{outcome="answered",rule="min_entropy_bits"} 1.0' in scraped


def test_one_bad_frame_refuses_its_batch_by_number(ruled):
    ws, client, _ = ruled
    images = np.stack([frame(), frame(0, spread=2), frame(seed=1)])
    body = {"inputs": [{"name": "images", "datatype": "UINT8", "shape": list(images.shape),
                        "data": images.ravel().tolist()}]}  # fmt: skip
    before = prediction_log(ws, "staging").num_rows
    answer = client.post("/v2/models/staging/infer", json=body)
    assert answer.status_code == 400 and "1 of 3 images" in answer.json()["error"]
    assert "(image 1, brightness:" in answer.json()["error"]
    assert prediction_log(ws, "staging").num_rows == before

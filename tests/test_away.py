"Steps on a Ray cluster: results as here, lost nodes, another machine's disk. Two real nodes, one start."

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from notebooks import EMIT, write

from mlops_nb.cluster import connect
from mlops_nb.data import ingest
from mlops_nb.images.pixels import encode
from mlops_nb.ledger import acts
from mlops_nb.model import load_bundle
from mlops_nb.pipeline import Output, Step, StepFailed, Stop, events, run
from mlops_nb.workspace import PipelineError, Workspace, get_blob, open_workspace

TINY = 80 * 2**20  # bytes, the least Ray takes for its store of objects

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's own


def about(done) -> dict:
    return json.loads(Path(done.notebook).read_text("utf-8"))["metadata"]["mlops_nb"]


def outputs_of(done) -> list:
    cells = json.loads(Path(done.notebook).read_text("utf-8"))["cells"]
    return [cell["outputs"] for cell in cells if cell["cell_type"] == "code"]


def until(holds, seconds: float = 60):
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)
    return found


def running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def cluster():
    "A head and a node beside it, of one CPU each."
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
    small = {"num_cpus": 1, "object_store_memory": TINY, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGN_TOKEN", "before-the-nodes-start")
        patch.setenv("MLOPS_NB_KERNEL_MODULES", "ipykernel.kernelapp")  # the rest is idle weight
        made = Cluster()
        patiently(made.add_node, **small, _system_config=quick | {"worker_niceness": 0})
        patiently(made.add_node, **small)
        yield made
    import ray

    ray.shutdown()
    made.shutdown()


def patiently(action, **given):
    "Ray gives its processes 30 s, which a busy machine may need twice."
    for _ in range(3):
        with suppress(Exception):
            return action(**given)
    return action(**given)


@pytest.fixture
def there(ws, cluster) -> Workspace:
    "The same workspace as `ws`, with its steps on the cluster."
    return Workspace(ws.root, {"executor": "ray", "ray_address": cluster.address})


def chain(folder: Path) -> list[Step]:
    (folder / "sign_tools.py").write_text("def area(side): return side * side")
    (folder / "beside.txt").write_text("a file beside the notebook")
    train = write(
        folder / "train.ipynb",
        "side: int",
        "import os, sign_tools\nprint(open('beside.txt').read(), os.getcwd())",
        "import os\nprint('token', os.environ['SIGN_TOKEN'])",
        EMIT + "emit(area=sign_tools.area(side), threads=os.environ['OMP_NUM_THREADS'])",
    )
    judge = write(
        folder / "judge.ipynb", "area: int", EMIT + "print('x' * 300_000)\nemit(good=area > 4)"
    )
    return [
        Step("train", train, {"side": 3}, cpus=1, secrets=("SIGN_TOKEN",)),
        Step("judge", judge, {"area": Output("train", "area")}, cpus=1),
    ]


def test_a_run_on_ray_is_the_run_here(there, tmp_path):
    steps, seen = chain(tmp_path), []
    here = run(open_workspace(tmp_path / "here"), steps)
    away = run(there, steps, progress=lambda step, cells, total: seen.append((step.name, cells)))
    assert [s.status for s in away.steps] == ["ran", "ran"]
    for name in ("train", "judge"):
        assert away[name].outputs == here[name].outputs and away[name].key == here[name].key
        assert outputs_of(away[name]) == outputs_of(here[name])
        assert about(away[name])["attempt"] == 1 and about(away[name])["kernel"]["warm"]
    assert {("train", n) for n in range(5)} <= set(seen)
    text = Path(away["train"].notebook).read_text("utf-8")
    assert "[secret SIGN_TOKEN]" in text and "before-the-nodes" not in text
    long = Path(away["judge"].notebook).read_text("utf-8")
    blob = long[long.index("all of it is blob:") + len("all of it is ") :][:69]
    assert get_blob(there, blob) == b"x" * 300_000 + b"\n"
    (act,) = [a for a in acts(there, verb="run") if a.facts["step"] == "train"]
    assert get_blob(there, act.facts["installed"]) and act.facts["machine"]
    assert [s.status for s in run(there, steps).steps] == ["cached", "cached"]


def test_what_a_notebook_does_wrong_comes_back_as_words_and_is_tried_again(there, tmp_path):
    code = "from pathlib import Path\nwith Path(mark).open('a') as out: out.write('x')\nraise ValueError('no signs')"
    step = Step("weak", write(tmp_path / "weak.ipynb", "mark: str", code),
                {"mark": str(tmp_path / "mark")}, cpus=1, retries=1, backoff_s=0.1)  # fmt: skip
    with pytest.raises(StepFailed, match=r"In \[3\]: ValueError: no signs") as caught:
        run(there, [step])
    assert (tmp_path / "mark").read_text() == "xx"
    assert about(caught.value.run["weak"])["status"] == "failed"
    assert not [e for e in events(there, caught.value.run.id) if e["event"] == "lost"]


SLOW = """
import os, time
from pathlib import Path
with Path(mark).open('a') as out: out.write(f'{os.getpid()}\\n')
while Path(mark).read_text().count('\\n') < wanted: time.sleep(0.1)
"""


def slow(folder: Path, wanted: int) -> tuple[Step, Path]:
    "A step that ends once its cell was begun so often; each time its kernel's pid is noted."
    mark = folder / "mark"
    notebook = write(folder / "slow.ipynb", "mark: str\nwanted: int", SLOW, EMIT + "emit(done=1)")
    return Step("slow", notebook, {"mark": str(mark), "wanted": wanted}, cpus=1), mark


def pids(mark: Path) -> list[int]:
    return [int(line) for line in mark.read_text().splitlines()] if mark.exists() else []


def started(ws: Workspace, step: Step, stop: Stop | None = None):
    "A run in a thread, and what it came to."
    told = {}

    def go():
        try:
            told["run"] = run(ws, [step], stop=stop)
        except StepFailed as err:
            told["run"] = err.run

    thread = threading.Thread(target=go)
    thread.start()
    return thread, told


def test_a_step_that_is_asked_to_stop_stops_and_leaves_no_kernel(there, tmp_path):
    step, mark = slow(tmp_path, wanted=99)
    stop = Stop(grace_s=10)
    thread, told = started(there, step, stop)
    (kernel,) = until(lambda: pids(mark))
    stop.ask("ann")
    thread.join(60)
    assert told["run"].status == "stopped" and about(told["run"]["slow"])["status"] == "stopped"
    assert "stopped by ann" in told["run"]["slow"].error
    assert "KeyboardInterrupt" in str(outputs_of(told["run"]["slow"])[2])  # not killed: interrupted
    until(lambda: not running(kernel), 5)


@contextmanager
def busy(ray, *nodes: str):
    "The CPU of these nodes is taken while it lasts."
    there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    hold = ray.remote(lambda: time.sleep(600))
    began = ray.remote(lambda: None)
    held = []
    for node in nodes:
        bound = {"scheduling_strategy": there(node, soft=False), "num_cpus": 1}
        ray.get(began.options(**bound).remote())
        held.append(hold.options(**bound).remote())
    until(
        lambda: (
            ray.available_resources().get("CPU", 0) <= ray.cluster_resources()["CPU"] - len(nodes)
        )
    )
    yield
    for one in held:
        ray.cancel(one, force=True)


def test_a_step_that_waits_for_a_node_is_taken_out_of_the_queue(there, tmp_path):
    ray = connect(there)
    step, mark = slow(tmp_path, wanted=99)
    stop = Stop()
    with busy(ray, *[node["NodeID"] for node in ray.nodes()]):
        thread, told = started(there, step, stop)
        time.sleep(2)
        stop.ask("ann")
        thread.join(30)
    assert told["run"].status == "stopped" and not mark.exists()
    assert about(told["run"]["slow"])["status"] == "stopped"


def test_a_killed_worker_means_another_try(there, tmp_path):
    step, mark = slow(tmp_path, wanted=2)
    thread, told = started(there, step)
    (kernel,) = until(lambda: pids(mark))
    (worker,) = [
        p
        for p in psutil.process_iter(["cmdline"])
        if "ray::step slow" in "".join(p.info["cmdline"] or [])
    ]
    worker.kill()
    until(lambda: not running(kernel), 5)
    thread.join(120)
    done = told["run"]
    assert done["slow"].outputs == {"done": 1} and about(done["slow"])["attempt"] == 2
    (lost,) = [e for e in events(there, done.id) if e["event"] == "lost"]
    assert lost["step"] == "slow" and "WorkerCrashed" in lost["error"]


def test_a_lost_node_means_that_its_step_runs_elsewhere(there, cluster, tmp_path):
    ray = connect(there)
    head = cluster.head_node.node_id
    step, mark = slow(tmp_path, wanted=2)
    with busy(ray, head):
        thread, told = started(there, step)
        until(lambda: pids(mark))
    (node,) = cluster.worker_nodes
    cluster.remove_node(node, allow_graceful=False)
    thread.join(120)
    done = told["run"]
    assert done["slow"].outputs == {"done": 1}
    said = about(done["slow"])
    assert said["attempt"] == 2 and said["node"].endswith(head[:8])
    until(lambda: not running(pids(mark)[0]), 5)


def test_what_no_node_can_give_is_said_before_anything_runs(there, tmp_path):
    step, mark = slow(tmp_path, wanted=1)
    with pytest.raises(PipelineError, match="slow asks for more GPUs than the 0 one node has"):
        run(there, [Step(step.name, step.notebook, step.parameters, gpus=1)])
    with pytest.raises(PipelineError, match="'slurm'. Set it to local or ray"):
        run(Workspace(there.root, {"executor": "slurm"}), [step])
    with pytest.raises(PipelineError, match="ray_address to the cluster itself"):
        run(Workspace(there.root, {"executor": "ray", "ray_address": "ray://head:10001"}), [step])
    assert not mark.exists()


# On a machine that has its own disk


@pytest.fixture(scope="module")
def far(cluster, s3, tmp_path_factory):
    "A node of two CPUs that does not see the folder that is returned: there its disk is another."
    hidden = tmp_path_factory.mktemp("driver")
    (hidden / "here").write_text("this is the driver's disk")
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-m", "true"], check=False).returncode
    ):
        pytest.skip("a disk of its own needs mount namespaces, and those need root")
    runtime = tmp_path_factory.mktemp("runtime")
    runtime.chmod(0o700)
    start = (
        f"{sys.executable} -m ray.scripts.scripts start --address={cluster.address} --num-cpus=2"
    )
    start += f" --object-store-memory={TINY} --disable-usage-stats --block"
    tries = f"mount -t tmpfs tmpfs {hidden} && for n in 1 2 3; do {start}; done"
    node = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", tries],
        env=os.environ | s3 | {"XDG_RUNTIME_DIR": str(runtime)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    import ray

    ray.init(cluster.address, ignore_reinit_error=True, log_to_driver=False)
    try:
        until(
            lambda: max(n["Resources"].get("CPU", 0) for n in ray.nodes() if n["Alive"]) == 2, 180
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in s3.items():
                patch.setenv(name, value)
            yield hidden
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait(60)


MODEL = """
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
from mlops_nb.images.pixels import decode

def fit(rows):
    "A graph that tells bright from dark, at the mean brightness of these images."
    level = np.mean([decode(one).mean() for one in rows["image"].to_pylist()])
    held = {"slope": np.array([[-1, 1]], np.float32), "tip": np.array([level, -level], np.float32),
            "axes": np.array([1, 2, 3]), "flat": np.array([-1, 1])}
    nodes = [helper.make_node("Cast", ["images"], ["float"], to=TensorProto.FLOAT),
             helper.make_node("ReduceMean", ["float", "axes"], ["level"]),
             helper.make_node("Reshape", ["level", "flat"], ["one"]),
             helper.make_node("MatMul", ["one", "slope"], ["tilted"]),
             helper.make_node("Add", ["tilted", "tip"], ["logits"]),
             helper.make_node("Softmax", ["logits"], ["scores"], axis=1)]
    ends = (helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", "H", "W", 3]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2]))
    kept = [numpy_helper.from_array(value, name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "bright", ends[:1], ends[1:], kept)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return made.SerializeToString()
"""

TRAIN = """
import hashlib, sign_model
from pathlib import Path
from mlops_nb.data import read, resolve
from mlops_nb.ledger import record
from mlops_nb.model import store_bundle
from mlops_nb.model.bundles import _write_bundle
from mlops_nb.pipeline import emit
from mlops_nb.workspace import open_workspace, put_blob

ws = open_workspace()
raw = sign_model.fit(read(ws, data, columns=["sample_id", "image"]))
made = _write_bundle(Path("made").resolve(), {
    "format": 1, "classes": ["dark", "bright"], "thresholds": {}, "data": resolve(ws, data).digest,
    "preprocessing": {"size": [8, 8], "mean": [0, 0, 0], "std": [1, 1, 1]}, "run": "run:example",
    "commit": None, "parity": {"n": 0, "max_abs_score_diff": 0.0, "labels_equal": True},
    "files": {"model.onnx": hashlib.sha256(raw).hexdigest()}}, {"model.onnx": raw})
record(ws, "note", by="ann", facts={"trained": made.id})
emit(model=store_bundle(ws, made.folder).id, notes=put_blob(ws, b"trained on " + data.encode()))
"""

JUDGE = """
from pathlib import Path
from mlops_nb.data import read
from mlops_nb.images.pixels import decode
from mlops_nb.model import load_bundle, predict
from mlops_nb.pipeline import emit
from mlops_nb.workspace import get_blob, open_workspace

ws = open_workspace()
images = [decode(one) for one in read(ws, data, columns=["sample_id", "image"])["image"].to_pylist()]
said = predict(load_bundle(ws, model), images)
emit(labels=list(said.labels), scores=said.scores.tolist(), notes=get_blob(ws, notes).decode())
print("sees", Path(elsewhere, "here").exists())
"""


def team(folder: Path, **more: str) -> dict[str, str]:
    "Settings under which nothing that matters lies in the workspace."
    urls = {"blob_url": "s3://team/blobs", "data_url": "s3://team/away"}
    return urls | {"ledger_url": f"sqlite:///{folder / 'ledger.db'}"} | more


def train_and_judge(folder: Path) -> list[Step]:
    folder.mkdir(exist_ok=True)
    (folder / "sign_model.py").write_text(MODEL)
    train = write(folder / "train.ipynb", "data: str", TRAIN)
    judge = write(
        folder / "judge.ipynb", "data: str\nmodel: str\nnotes: str\nelsewhere: str", JUDGE
    )
    made = {name: Output("train", name) for name in ("model", "notes")}
    return [
        Step("train", train, {"data": "signs@1"}, cpus=2),  # only the far node has two
        Step("judge", judge, {"data": "signs@1", "elsewhere": str(folder.parent)} | made, cpus=2),
    ]


@pytest.fixture(scope="module")
def signs(far, tmp_path_factory):
    "A data set that every node can read, on the object store."
    folder = tmp_path_factory.mktemp("photos")
    (folder / "cam").mkdir()
    for n in range(6):
        noise = np.random.default_rng(n).integers(0, 40 * (n + 1), (9, 9, 3)).astype(np.uint8)
        (folder / "cam" / f"{n}.png").write_bytes(encode(noise))
    ingest(Workspace(open_workspace(far / "first").root, team(folder)), folder, "signs")


def test_on_another_disk_artefacts_go_through_the_object_store(far, cluster, signs, tmp_path):
    ray = {"executor": "ray", "ray_address": cluster.address}
    away, here = (
        Workspace(open_workspace(far / name).root, team(tmp_path, **more))
        for name, more in (("away", ray), ("near", {}))
    )
    steps = train_and_judge(far / "code")
    there, near = run(away, steps), run(here, steps)
    for name in ("train", "judge"):
        assert there[name].outputs == near[name].outputs and there[name].key == near[name].key
    seen = [str(outputs_of(one["judge"])).count("sees False") for one in (there, near)]
    assert seen == [1, 0]  # the far node was on its own
    model = there["train"].outputs["model"]
    assert {a.facts["trained"] for a in acts(away, verb="note")} == {model}
    assert load_bundle(away, model).classes == ("dark", "bright")
    shutil.rmtree(away.path("bundles"))
    assert [s.status for s in run(away, steps).steps] == ["cached", "cached"]


def test_what_another_disk_would_lose_fails_the_step(far, cluster, signs, tmp_path):
    urls = team(tmp_path, executor="ray", ray_address=cluster.address)
    ws = Workspace(open_workspace(far / "lossy").root, urls)
    (steps, bare) = train_and_judge(far / "lossy_code"), dict(urls)
    del bare["blob_url"], bare["ledger_url"]
    with pytest.raises(
        StepFailed, match="it left blobs, bundles, ledger.*set blob_url, ledger_url"
    ):
        run(Workspace(ws.root, bare), steps)
    assert not list(ws.path("cache").glob("*.json"))


def test_a_secret_that_a_node_lacks_is_named_and_no_setting_is_in_rays_files(
    far, cluster, tmp_path, monkeypatch
):
    monkeypatch.setenv("LATE_TOKEN", "set-after-the-nodes")
    hook = "http://ann:swordfish-77@127.0.0.1:9/"
    urls = team(tmp_path, executor="ray", ray_address=cluster.address, webhook_url=hook)
    ws = Workspace(open_workspace(far / "secret").root, urls)
    notebook = write(far / "secret.ipynb", "n: int", EMIT + "emit(n=n)")
    with pytest.raises(StepFailed, match="LATE_TOKEN is not set on the node"):
        run(ws, [Step("late", notebook, {"n": 1}, cpus=2, secrets=("LATE_TOKEN",))])
    assert run(ws, [Step("plain", notebook, {"n": 2}, cpus=2)])["plain"].outputs == {"n": 2}
    files = [p for p in Path(cluster.head_node.get_session_dir_path()).rglob("*") if p.is_file()]
    assert files and not [p for p in files if b"swordfish-77" in p.read_bytes()]


# On a Ray that starts here


def test_a_runner_that_is_killed_takes_its_kernels_and_its_ray_along(tmp_path):
    pytest.importorskip("ray")
    step, mark = slow(tmp_path, wanted=99)
    code = f"""
from mlops_nb.pipeline import Step, run
from mlops_nb.workspace import open_workspace
ws = open_workspace({str(tmp_path / "ws")!r})
ws.settings["executor"] = "ray"
run(ws, [Step("slow", {str(step.notebook)!r}, {step.parameters!r}, cpus=1)], cpus=1)
"""
    runner = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.DEVNULL
    )
    (kernel,) = until(lambda: pids(mark), 150)
    parts = [
        p for p in psutil.Process(runner.pid).children() if p.name() in ("raylet", "gcs_server")
    ]
    assert len(parts) == 2
    runner.kill()
    runner.wait()
    until(lambda: not running(kernel), 5)
    until(lambda: not any(running(p.pid) for p in parts), 30)

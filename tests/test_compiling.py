"Plans as files for other machines: the same bytes, no secrets, and what runs there is what runs here."

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from nbformat import v4

from mlops_nb.pipeline import Output, Step, run, steps_in, to_github_actions, to_kubeflow
from mlops_nb.pipeline.component import from_kubeflow_value, kubeflow_type, to_kubeflow_value
from mlops_nb.workspace import PipelineError

ROOT = Path(__file__).resolve().parents[1]
KUBEFLOW = Path(os.environ.get("MLOPS_NB_KUBEFLOW", ROOT / ".kubeflow" / "bin" / "python"))
EMIT = "from mlops_nb.pipeline import emit\n"


@pytest.fixture(scope="module")
def kubeflow():
    "The Python of Kubeflow's SDK; our packages come after its own."
    if not KUBEFLOW.exists():
        pytest.skip(
            "Kubeflow's SDK has an environment of its own, and it is missing. Run: make kubeflow"
        )
    return KUBEFLOW


def write(path: Path, declared: str, *code: str) -> Path:
    cells = [v4.new_code_cell(one, id=f"c{n}") for n, one in enumerate((declared, *code))]
    cells[0].metadata.tags = ["parameters"]
    page = v4.new_notebook(cells=cells)
    page.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    path.write_text(json.dumps(page), encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path):
    "Two steps with every way a value can travel, a module of their own, and texts that Kubeflow would alter."
    folder = tmp_path / "project"
    (folder / "fleet").mkdir(parents=True)
    (folder / "fleet" / "__init__.py").write_text("from fleet.scale import tenth\n")
    (folder / "fleet" / "scale.py").write_text("def tenth(x):\n    return x / 10  # {{$}} ü\n")
    write(
        folder / "train.ipynb",
        "epochs: int = 5  # passes over the data\nlayers: list[int] = [3, 4]\n"
        "rates: dict[str, float] = {'head': 1.0}\nnote: str | None = None\nrun_id: str = ''",
        EMIT + "from fleet import tenth\nemit(score=tenth(epochs), layers=layers, rates=rates,\n"
        "     extra={'a': 1, 'b': [1.0, None, '{{$}} python3']}, n=epochs, none=note)",
    )
    write(
        folder / "judge.ipynb",
        "score: float\nlayers: list[int]\nrates: dict[str, float]\nextra: dict\nall: list\nn: int",
        EMIT
        + "emit(good=score > 0.4, seen=[score, layers, rates, extra, all, n], types=str(layers))",
    )
    wires = {name: Output("train", name) for name in ("score", "layers", "rates", "extra", "n")}
    wires["all"] = [
        Output("train", "n"),
        1,
        "x",
        [Output("train", "none"), Output("train", "score")],
    ]
    steps = [
        Step("train", folder / "train.ipynb", {"epochs": 8}, cpus=1, secrets=("STORE_TOKEN",)),
        Step("Judge_it", folder / "judge.ipynb", wires, retries=2, backoff_s=0.5),
    ]
    (folder / "signs.py").write_text(PLAN)
    return folder, steps


PLAN = """
from mlops_nb.pipeline import Output, Step

wires = {name: Output("train", name) for name in ("score", "layers", "rates", "extra", "n")}
wires["all"] = [Output("train", "n"), 1, "x", [Output("train", "none"), Output("train", "score")]]
steps = [
    Step("train", "train.ipynb", {"epochs": 8}, cpus=1, secrets=("STORE_TOKEN",)),
    Step("Judge_it", "judge.ipynb", wires, retries=2, backoff_s=0.5),
]
"""


def command(*words, cwd: Path, **environ) -> subprocess.CompletedProcess:
    known = os.environ | {"PYTHONPATH": str(ROOT)} | environ
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=known,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def cli(folder: Path, *words: str, **environ) -> subprocess.CompletedProcess:
    code = f"from mlops_nb.cli import main\nmain({list(words)})"
    return command(sys.executable, "-c", code, cwd=folder, **environ)


# -- the file ------------------------------------------------------------------------------------


def compiled(folder: Path, **environ) -> str:
    done = cli(folder, "compile", "signs.py", "--to", "kubeflow", "-o", "-", **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_same_steps_are_the_same_bytes_in_any_process_and_after_a_run(project, ws):
    folder, steps = project
    first = compiled(folder, PYTHONHASHSEED="1")
    assert compiled(folder, PYTHONHASHSEED="2") == first == to_kubeflow(steps, "signs")
    run(ws, steps)
    page = json.loads((folder / "train.ipynb").read_text())
    page["cells"][1] |= {"execution_count": 3, "outputs": [v4.new_output("stream", text="seen")]}
    page["cells"][1]["metadata"] = {"collapsed": True, "mlops_nb": {"seconds": 2.5}}
    page["metadata"]["widgets"] = {"state": "of a session"}
    (folder / "train.ipynb").write_text(json.dumps(page))
    assert to_kubeflow(steps, "signs") == first


def test_a_changed_cell_is_a_changed_line(project):
    folder, steps = project
    before = to_kubeflow(steps, "signs").splitlines()
    text = (folder / "fleet" / "scale.py").read_text()
    (folder / "fleet" / "scale.py").write_text(text.replace("/ 10", "/ 11"))
    after = to_kubeflow(steps, "signs").splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        (one, one.replace("/ 10", "/ 11")) for one in before if "x / 10" in one
    ]


def test_a_declared_secret_is_a_reference_and_its_value_is_refused(project, monkeypatch):
    folder, steps = project
    platform = list(yaml.safe_load_all(to_kubeflow(steps, "signs", secret="team")))[1]
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    wanted = [one for one in executors["exec-train"]["secretAsEnv"] if not one["optional"]]
    assert [(one["secretName"], one["keyToEnv"]) for one in wanted] == [
        ("team", [{"envVar": "STORE_TOKEN", "secretKey": "STORE_TOKEN"}])
    ]
    assert all(one["optional"] for one in executors["exec-judge-it"]["secretAsEnv"])
    monkeypatch.setenv("STORE_TOKEN", "correct horse battery")
    (folder / "fleet" / "scale.py").write_text("tenth = 'correct horse battery'")
    with pytest.raises(PipelineError, match=r"train: fleet/scale.py holds a secret"):
        to_kubeflow(steps, "signs")


def test_everything_that_cannot_travel_is_said_at_once(tmp_path):
    token = "ghp_" + "a1" * 20
    plain = write(tmp_path / "plain.ipynb", "n: int = 1")
    told = write(
        tmp_path / "told.ipynb", f"place: Path = Path('plain.ipynb')\nkey: str = '{token}'"
    )
    large = write(tmp_path / "large.ipynb", "n: int = 1", f"text = '{'x' * 140_000}'")
    steps = [Step("a-b", plain), Step("A_b", plain), Step("told", told), Step("large", large)]
    with pytest.raises(PipelineError) as caught:
        to_kubeflow(steps, "signs")
    said = str(caught.value)
    for fault in (
        "a-b: another step is 'a-b' too",
        "A_b: another step is 'a-b' too",
        "told: told.ipynb holds a secret",
        "told: key holds a secret",
        "told: place is 'plain.ipynb', which is only here",
        "most of them in large.ipynb",
    ):
        assert fault in said
    assert token not in said


def test_what_a_page_declares_of_its_outputs_is_the_type_it_travels_as(tmp_path):
    promised = (
        "score: Annotated[float, AtLeast(0)]\ndata: DatasetRef\nsizes: list[int]\nbest: int | None"
    )
    emits = EMIT + "emit(score=1.0, data='signs@v1', sizes=[1], best=None)"
    page = json.loads(write(tmp_path / "n.ipynb", "n: int = 1", promised, emits).read_text())
    page["cells"][1]["metadata"] = {"tags": ["outputs"]}
    (tmp_path / "n.ipynb").write_text(json.dumps(page))
    spec = next(yaml.safe_load_all(to_kubeflow([Step("a", tmp_path / "n.ipynb")], "signs")))
    made = spec["components"]["comp-a"]["outputDefinitions"]["parameters"]
    assert {name: one["parameterType"] for name, one in made.items()} == {
        "score": "NUMBER_DOUBLE",
        "data": "STRING",
        "sizes": "LIST",
        "best": "STRING",
    }


def test_a_plan_with_faults_is_refused_before(tmp_path):
    notebook = write(tmp_path / "n.ipynb", "side: int = 1")
    with pytest.raises(PipelineError, match="did you mean `side`"):
        to_kubeflow([Step("a", notebook, {"sides": 1})], "signs")


# -- values on their way -------------------------------------------------------------------------

TEXT = "aü3{}$'\"\\\n "  # among them what YAML, JSON and Kubeflow take for something else
LEAVES = {
    "int": st.integers(-(2**53), 2**53),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "str": st.text(TEXT, max_size=9),
    "bool": st.booleans(),
}
KINDS = LEAVES | {f"list[{kind}]": st.lists(leaf) for kind, leaf in LEAVES.items()}
KINDS |= {
    f"dict[str, {kind}]": st.dictionaries(LEAVES["str"], leaf) for kind, leaf in LEAVES.items()
}
KINDS |= {"Annotated[int, AtLeast(1)]": st.integers(1, 2**53)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | LEAVES["float"] | LEAVES["str"],
    lambda inner: st.lists(inner) | st.dictionaries(LEAVES["str"], inner),
    max_leaves=8,
)


def arrives(value):
    "What protobuf makes of a value: it has one kind of number."
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list):
        return [arrives(one) for one in value]
    return {k: arrives(one) for k, one in value.items()} if isinstance(value, dict) else value


@given(data=st.data())
def test_a_value_arrives_as_it_left_type_and_all(data):
    kind = data.draw(st.sampled_from([*KINDS, "list", "int | None", None]))
    value = data.draw(KINDS.get(kind, JSON))
    assume(kubeflow_type(kind) is None or "{{$" not in str(value))
    came = from_kubeflow_value(kind, arrives(to_kubeflow_value("x", kind, value)))
    assert repr(came) == repr(value) or (came == value and kind is not None and "float" in kind)


@pytest.mark.parametrize(
    "kind, value, why",
    [
        ("int", 2**53 + 1, "numbers end at"),
        ("str", "{{$.inputs}}", "would fill in"),
        ("int", "7", "must be int"),
    ],
)
def test_a_value_that_would_not_arrive_is_refused(kind, value, why):
    with pytest.raises(PipelineError, match=why):
        to_kubeflow_value("x", kind, value)


# -- Kubeflow's own SDK --------------------------------------------------------------------------

RUN = """
import json, sys
from google.protobuf import json_format
from kfp import components, local
from kfp.kubernetes import kubernetes_executor_config_pb2

pipeline = components.load_component_from_file("signs.yaml")
for config in pipeline.platform_spec.platforms["kubernetes"].deployment_spec.executors.values():
    json_format.ParseDict(
        json_format.MessageToDict(config), kubernetes_executor_config_pb2.KubernetesExecutorConfig()
    )
local.init(local.SubprocessRunner(use_venv=False), pipeline_root="root")
task = pipeline(**json.loads(sys.argv[1]))
spec = json_format.MessageToDict(pipeline.pipeline_spec)
json.dump({"outputs": task.outputs, "spec": spec}, open("told.json", "w"))
"""


def by_kubeflow(kubeflow: Path, folder: Path, text: str, **values) -> dict:
    "Load the file with the SDK, and run it with its local runner."
    folder.mkdir()
    (folder / "signs.yaml").write_text(text, encoding="utf-8")
    values["workspace"] = str(folder / "workspace")
    done = command(kubeflow, "-c", RUN, json.dumps(values), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "told.json").read_text())


def emitted(done) -> dict:
    return {(step.name, name): value for step in done.steps for name, value in step.outputs.items()}


def test_its_local_runner_comes_to_what_run_comes_to(kubeflow, project, tmp_path, ws):
    folder, steps = project
    text = to_kubeflow(steps, "signs", image="python-with-mlops-nb")
    for one in (folder / "train.ipynb", folder / "judge.ipynb", folder / "fleet"):
        one.rename(folder / f"{one.name}-moved-away")
    told = by_kubeflow(kubeflow, tmp_path / "there", text, train_epochs=3)
    for one in folder.glob("*-moved-away"):
        one.rename(folder / one.name.removesuffix("-moved-away"))
    here = emitted(run(ws, [Step("train", steps[0].notebook, {"epochs": 3}, cpus=1), steps[1]]))

    root = told["spec"]["root"]
    assert root["inputDefinitions"]["parameters"]["train_epochs"]["defaultValue"] == 8
    kinds = root["outputDefinitions"]["parameters"]
    there = {}
    for (step, name), value in here.items():
        key = f"{step.lower().replace('_', '-')}-{name}"
        came = told["outputs"].pop(key)
        as_json = kinds[key]["parameterType"] == "STRING" and not isinstance(value, str)
        there[step, name] = json.loads(came) if as_json or name == "types" else came
    assert there == here and not told["outputs"]
    assert there["Judge_it", "types"] == "[3, 4]"  # integers still
    assert kinds["train-score"]["parameterType"] == "NUMBER_DOUBLE"
    assert kinds["train-layers"]["parameterType"] == "LIST"

    pages = {
        path.parent.name: json.loads(path.read_text())
        for path in tmp_path.rglob("root/**/notebook")
    }
    assert set(pages) == {"train", "judge-it"}
    assert all(page["metadata"]["mlops_nb"]["status"] == "ran" for page in pages.values())


def test_a_task_has_its_share_its_retries_and_the_workspace(project):
    _, steps = project
    strong = [Step("train", steps[0].notebook, cpus=4, gpus=2), steps[1]]
    spec, platform = yaml.safe_load_all(to_kubeflow(strong, "signs", claim="disk"))
    resources = spec["deploymentSpec"]["executors"]["exec-train"]["container"]["resources"]
    assert resources["resourceCpuLimit"] == "4"
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    policy = spec["root"]["dag"]["tasks"]["judge-it"]["retryPolicy"]
    assert (policy["maxRetryCount"], policy["backoffDuration"], policy["backoffFactor"]) == (
        2,
        "0.5s",
        2,
    )
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert [one["pvcMount"][0]["constant"] for one in executors.values()] == ["disk", "disk"]


def test_a_container_whose_step_fails_says_where_and_keeps_the_page(tmp_path):
    wrong = write(tmp_path / "wrong.ipynb", "n: int = 0", "1 / n")
    spec = next(yaml.safe_load_all(to_kubeflow([Step("wrong", wrong)], "signs")))
    container = spec["deploymentSpec"]["executors"]["exec-wrong"]["container"]
    told = {
        "inputs": {"parameterValues": {"workspace-folder": str(tmp_path / "w"), "n": 0}},
        "outputs": {"outputFile": str(tmp_path / "out.json"), "artifacts": {"notebook": {}}},
    }
    page = tmp_path / "given" / "page"
    filled = {"{{$}}": json.dumps(told), "{{$.outputs.artifacts['notebook'].path}}": page}
    words = [filled.get(word, word) for word in container["args"]]
    done = command(sys.executable, *container["command"][1:], *words, cwd=tmp_path)
    assert done.returncode == 1 and "ZeroDivisionError" in done.stderr
    assert json.loads(page.read_text())["metadata"]["mlops_nb"]["status"] == "failed"
    assert not (tmp_path / "out.json").exists()


def test_an_output_that_a_later_step_wants_and_nobody_emitted_is_named(tmp_path, ws):
    from mlops_nb.pipeline.component import Component, executor_output

    with pytest.raises(PipelineError, match="was to emit score and emitted n"):
        executor_output(Component("a", "a.ipynb", {}, {}, wanted=("score",)), {"n": 1}, {})


# -- GitHub Actions ------------------------------------------------------------------------------


@pytest.fixture
def repository(project):
    "The project under git, with a lock that the environment of the tests satisfies."
    folder, _ = project
    (folder / ".git").mkdir()
    (folder / "requirements.lock").write_text(f"mlops-nb==0.1.0 --hash=sha256:{'0' * 64}\n")
    return folder


def jobs(text: str) -> dict:
    return yaml.safe_load(text)["jobs"]


def test_the_workflow_is_one_of_githubs_schema(kubeflow, repository, tmp_path):
    path = tmp_path / "signs.yaml"
    path.write_text(to_github_actions(repository / "signs.py"))
    check = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = command(kubeflow, *check, path, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    path.write_text(path.read_text().replace("runs-on:", "runs-at:"))
    assert command(kubeflow, *check, path, cwd=tmp_path).returncode == 1  # it does look


def test_what_the_workflow_runs_runs(repository, tmp_path):
    steps = jobs(to_github_actions(repository / "signs.py"))["run"]["steps"]
    venv.create(tmp_path / "venv", with_pip=True)
    site = next((tmp_path / "venv").rglob("site-packages"))
    known = site / "mlops_nb-0.1.0.dist-info"  # the package is there; pip has nothing to download
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: mlops-nb\nVersion: 0.1.0\n")
    found = [tmp_path / "venv" / "bin", Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, found), os.environ["PATH"]])
    for step in [one for one in steps if "run" in one]:
        environ = {
            name: re.sub(r"\$\{\{.*\}\}", "", text) for name, text in step.get("env", {}).items()
        }
        if "pip" in step["run"]:  # it must see its own environment only
            environ["PYTHONPATH"] = ""
        done = command("bash", "-e", "-c", step["run"], cwd=repository, PATH=path, **environ)
        assert done.returncode == 0, done.stdout + done.stderr
    kept = steps[-1]["with"]["path"]
    pages = sorted(path.name for path in (repository / kept).rglob("*.ipynb"))
    assert pages == ["Judge_it.ipynb", "train.ipynb"]


def test_the_workflow_pins_what_it_uses_and_shows_secrets_to_one_step_only(repository):
    text = to_github_actions(repository / "signs.py")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    assert all(
        re.fullmatch(r"\S+@[0-9a-f]{40} # v[\d.]+", one) for one in re.findall(r"uses: (.*)", text)
    )
    shown = [step["name"] for step in jobs(text)["run"]["steps"] if "secrets." in json.dumps(step)]
    assert shown == ["run"] and "env" not in workflow["jobs"]["run"]
    environ = next(step["env"] for step in jobs(text)["run"]["steps"] if step.get("name") == "run")
    assert environ["STORE_TOKEN"] == "${{ secrets.STORE_TOKEN }}"


def test_a_package_with_a_lock_is_installed_after_it(repository):
    inner = repository / "plans of ours"
    inner.mkdir()
    (repository / "pyproject.toml").touch()
    (repository / "requirements.lock").write_text("")
    shutil.copy(repository / "signs.py", inner)
    for name in ("train.ipynb", "judge.ipynb", "fleet"):
        (inner / name).symlink_to(repository / name)
    lines = [
        one["run"]
        for one in jobs(to_github_actions(inner / "signs.py"))["run"]["steps"]
        if "run" in one
    ]
    assert lines == [
        "python -m pip install --require-hashes -r requirements.lock\npython -m pip install --no-deps .",
        "mlops-nb run 'plans of ours/signs.py'",
    ]


@pytest.mark.parametrize(
    "change, why",
    [
        (lambda f: (f / ".git").rmdir(), "in no git repository"),
        (lambda f: (f / "requirements.lock").unlink(), "no requirements.lock"),
        (lambda f: (f / "requirements.lock").write_text("numpy==2"), "does not name mlops-nb"),
        (lambda f: (f / "signs.py").write_text(PLAN.replace("cpus=1", "gpus=1")), "asks for GPUs"),
        (lambda f: (f / "fleet").rename(f.parent / "fleet") and move(f), "is not in"),
    ],
)
def test_what_a_runner_would_lack_is_said_before(repository, change, why):
    change(repository)
    with pytest.raises(PipelineError, match=why):
        to_github_actions(repository / "signs.py")


def move(folder: Path) -> None:
    "The notebook lies outside the repository."
    (folder / "train.ipynb").rename(folder.parent / "train.ipynb")
    (folder / "signs.py").write_text(PLAN.replace('"train.ipynb"', '"../train.ipynb"'))


# -- the door ------------------------------------------------------------------------------------


def test_the_command_writes_where_each_is_looked_for(repository):
    done = cli(repository, "compile", "signs.py", "--to", "github-actions")
    assert done.returncode == 0, done.stderr
    path = repository / ".github" / "workflows" / "signs.yaml"
    assert path.read_text() == to_github_actions(repository / "signs.py")
    done = cli(
        repository, "--json", "compile", "signs.py", "--to", "kubeflow", "--image", "signs:7"
    )
    assert json.loads(done.stdout) == {"file": "signs.kubeflow.yaml"}
    expected = to_kubeflow(steps_in(repository / "signs.py"), "signs", image="signs:7")
    assert (repository / "signs.kubeflow.yaml").read_text() == expected


def test_an_option_without_meaning_is_refused(repository):
    done = cli(repository, "compile", "signs.py", "--to", "github-actions", "--image", "signs:7")
    assert done.returncode == 2 and "--image has no meaning for github-actions" in done.stderr

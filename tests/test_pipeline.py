"Steps are notebooks: what they declare, what a plan refuses, what is repeated, what survives."

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_nb.ledger import acts
from mlops_nb.pipeline import (
    Output,
    Step,
    StepFailed,
    check_parameters,
    emit,
    outputs,
    parameters,
    plan_faults,
    run,
)
from mlops_nb.pipeline.notebook import OUTPUT, emitted_names, inject
from mlops_nb.workspace import PipelineError, get_blob, open_workspace

EMIT = "from mlops_nb.pipeline import emit\n"


def page(declared: str | None, *code: str) -> dict:
    "A notebook with a parameters cell and some code cells."
    cells = [] if declared is None else [(declared, ["parameters"])]
    cells += [(text, []) for text in code]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell{i}",
                "metadata": {"tags": tags},
                "source": text,
                "outputs": [],
                "execution_count": None,
            }
            for i, (text, tags) in enumerate(cells)
        ],
    }


def write(path: Path, declared: str | None, *code: str) -> Path:
    path.write_text(json.dumps(page(declared, *code)), encoding="utf-8")
    return path


@pytest.fixture
def chain(tmp_path):
    "Three steps, each counting how often it ran in a file; the last takes what the others emit."
    count = "from pathlib import Path\nwith open('ran.txt', 'a') as f: f.write('{} ')\n" + EMIT
    first = write(
        tmp_path / "first.ipynb", "n: int = 1  # a number", count.format("a") + "emit(m=n + 1)"
    )
    second = write(tmp_path / "second.ipynb", "m: int", count.format("b") + "emit(k=m * 10)")
    third = write(
        tmp_path / "third.ipynb", "k: int\nrun_id: str = ''", count.format("c") + "emit(ok=k > 0)"
    )

    def steps(n: int = 1) -> list[Step]:
        return [
            Step("first", first, {"n": n}),
            Step("second", second, {"m": Output("first", "m")}),
            Step("third", third, {"k": Output("second", "k")}),
        ]

    return steps


def ran(tmp_path: Path) -> str:
    return (tmp_path / "ran.txt").read_text() if (tmp_path / "ran.txt").exists() else ""


def statuses(result) -> list[str]:
    return [step.status for step in result.steps]


# what a notebook declares


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("x: int = 1", [3, np.int64(3)], [True, 1.0, "3", None]),
        ("x: float = 1.0", [3, 0.5, np.float32(0.5)], [True, "0.5", None]),
        ("x: bool = False", [True], [1, "yes"]),
        ("x: str | None = None", ["a", None], [1, ["a"]]),
        ("x: 'str | None' = None", ["a", None], [1]),
        ("x: int | str | None = None", [1, "a", None], [1.5]),
        ("x: Optional[int] = None", [1, None], ["a"]),
        ("x: typing.Literal['a', 'b'] = 'a'", ["b"], ["c", 1]),
        ("x: Literal[1, -1] = -1", [1], [True, 2]),
        ("x: list[str] = ['a']", [["b"], []], ["a", [1]]),
        ("x: list[int | None] = []", [[1, None]], [["a"]]),
        ("x: list[str] | None = None", [["b"], None], ["a", [1]]),
        ("x: int | list[int] | dict[str, int]  = 1", [1, [1], {"a": 1}], ["a", {"a": "b"}]),
        ("x: tuple[int, int] = (1, 2)", [(3, 4), [3, 4]], [(1,), (1, 2, 3)]),
        ("x: tuple[float, ...] = ()", [(3, 4.5)], [("a",)]),
        ("x: dict[str, float] = {}", [{"a": 1}], [{1: 1}, {"a": "b"}]),
        ("x: Path = Path('a = b')", ["c", Path("c")], [1, None]),
        ("x: pathlib.Path | None = None", [Path("c"), None], [1]),
        ("x: Dataset = 'signs@v1'", ["signs@v2"], [1, None]),
        ("x: Dataset = Dataset('signs@v1')", ["signs@v2"], [1, None]),
        ("x = 5", [6], ["a", None]),
        ("x = None", [6, "a", None], []),
    ],
)
def test_types_are_understood_by_their_spelling(line, good, bad):
    notebook = page(line)
    for value in good:
        check_parameters(notebook, {"x": value})
    for value in bad:
        with pytest.raises(PipelineError, match="`x` is .*, and must be"):
            check_parameters(notebook, {"x": value})


def test_a_line_gives_name_type_default_and_help():
    found = parameters(
        page("import typing\nrate: float = -0.1  # step size # per epoch\ndata: str")
    )
    assert [(p.name, p.type, p.default, p.help) for p in found] == [
        ("rate", "float", -0.1, "step size # per epoch"),
        ("data", "str", None, ""),
    ]
    assert [p.required for p in found] == [False, True]
    broken = (
        "x: int = (\n    1  # over two lines\n)\ny: list[int] = [  # at the top\n    1,\n    2,\n]"
    )
    assert [p.help for p in parameters(page(broken))] == ["over two lines", "at the top"]
    assert parameters(page(None, "x: int = 1")) == ()


def test_every_line_that_cannot_be_read_is_named_at_once():
    bad = "a: flaot = 1.0\nb: int = len('x')\nc: int = 'x'\nd, e = 1, 2\nf: set[int] = 1\ng: int = 1\ng: int = 2"
    with pytest.raises(PipelineError) as caught:
        parameters(page(bad))
    said = str(caught.value)
    for word in (
        "6 faults",
        "did you mean `float`",
        "computed",
        "'x' (str), and must be int",
        "d, e",
        "set[int]",
        "`g`",
    ):
        assert word in said
    with pytest.raises(PipelineError, match="more than one cell"):
        both = page("a: int = 1", "b: int = 2")
        both["cells"][1]["metadata"]["tags"] = ["parameters"]
        parameters(both)


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "a.ipynb").write_text("{")
    (tmp_path / "b.ipynb").write_text('{"worksheets": []}')
    for name, reason in [("a", "cannot be read"), ("b", "format 4"), ("c", "no notebook at")]:
        with pytest.raises(PipelineError, match=reason):
            parameters(tmp_path / f"{name}.ipynb")


@given(
    st.fixed_dictionaries(
        {
            "a": st.text(),
            "b": st.floats(allow_nan=False),
            "c": st.lists(st.text(), max_size=3),
            "d": st.none() | st.integers(),
            "e": st.dictionaries(st.text(), st.booleans(), max_size=3),
        }
    )
)
def test_any_value_arrives_as_it_was_given(values):
    declared = "a: str\nb: float\nc: list[str]\nd: int | None\ne: dict[str, bool]"
    space = {}
    exec(inject(page(declared), values)["cells"][1]["source"], space)  # noqa: S102 - the code under test is source
    assert {name: space[name] for name in values} == values


def test_paths_and_references_arrive_in_their_type():
    declared = "p: Path = Path('x')\nq: list[Path] = []\nr: Data = 'a@v1'\ns: Path | None = None"
    values = {"p": "maps", "q": ["a", Path("b")], "r": "b@v2", "s": Path("c")}
    space = {"Path": Path, "Data": type("Data", (str,), {})}
    exec(inject(page(declared), values)["cells"][1]["source"], space)  # noqa: S102 - the code under test is source
    assert space["p"] == Path("maps") and space["q"] == [Path("a"), Path("b")]
    assert type(space["r"]).__name__ == "Data" and space["s"] == Path("c")


def test_injecting_again_replaces_what_was_injected():
    once = inject(page("a: int = 1", "a"), {"a": 2})
    twice = inject(once, {"a": 3})
    assert [c["source"] for c in twice["cells"]] == ["a: int = 1", "# Parameters\na = 3", "a"]


# what a notebook says


def test_emit_takes_json_and_numpy_scalars_only(capsys):
    emit(share=np.float64(0.5), n=np.int64(3), names=["a"])
    assert "share = 0.5" in capsys.readouterr().out
    for bad in (float("nan"), Path("x"), {1, 2}, np.zeros(3)):
        with pytest.raises(PipelineError, match="cannot hand on bad"):
            emit(good=1, bad=bad)


def test_one_name_is_emitted_once():
    notebook = page(None, "x", "y")
    for cell, value in zip(notebook["cells"], (1, 2), strict=True):
        cell["outputs"] = [{"output_type": "display_data", "data": {OUTPUT: {"a": value}}}]
    with pytest.raises(PipelineError, match="'a' twice: 1, then 2"):
        outputs(notebook)


def test_names_to_be_emitted_are_read_off_the_code():
    assert emitted_names(page(None, "%matplotlib inline\nemit(a=1)", "pipeline.emit(b=2)")) == {
        "a",
        "b",
    }
    assert emitted_names(page(None, "emit(a=1, **more)")) is None
    assert emitted_names(page(None, "helper()")) is None


# what a plan refuses


def test_all_faults_of_a_plan_come_at_once_and_nothing_runs(ws, tmp_path):
    good = write(tmp_path / "good.ipynb", "n: int = 1", "emit(m=n)")
    broken = write(tmp_path / "broken.ipynb", "n: int = 1", "!ls\n%time 1", "if n\n    pass")
    steps = [
        Step("a", good, {"n": "one", "k": 1}),
        Step("b", good, {"n": Output("a", "mm")}),
        Step("b", good, {"n": Output("c", "m")}),
        Step("c", broken, {"n": Output("c", "m")}),
        Step("d e", tmp_path / "none.ipynb"),
        Step("f", good, {"n": Output("good", "m")}),
    ]
    faults = "\n".join(plan_faults(steps))
    for word in (
        "a: `n` is 'one' (str), and must be int",
        "a: `k` is not a parameter",
        "b: Output('a', 'mm') is never emitted (did you mean `m`?)",
        "b: two steps have this name",
        "comes later in the plan",
        "refers to the step itself",
        "c: code cell 3, line 1: expected ':' in `if n`",
        "'d e': a step's name",
        "no notebook at",
        "f: Output('good', 'm') names no step",
    ):
        assert word in faults, word
    with pytest.raises(PipelineError, match="10 faults, and nothing was run"):
        run(ws, steps)
    assert not (ws.root / "runs").exists()


# running


def test_a_plan_runs_once_and_again_only_where_something_changed(ws, chain, tmp_path):
    seen = []
    first = run(
        ws,
        chain(),
        by="ana",
        progress=lambda step, done, total: seen.append((step.name, step.status)),
    )
    assert statuses(first) == ["ran"] * 3 and first["third"].outputs == {"ok": True}
    assert ("first", "running") in seen and ("third", "ran") in seen
    assert statuses(run(ws, chain())) == ["cached"] * 3
    assert ran(tmp_path) == "a b c "
    again = run(ws, chain(n=2))
    assert statuses(again) == ["ran"] * 3 and again["second"].outputs == {"k": 30}
    known = acts(ws, verb="run")
    assert [act.by for act in known[:3]] == ["ana"] * 3 and len(known) == 6
    kept = get_blob(ws, known[0].facts["page"])
    assert outputs(json.loads(kept)) == {"m": 2}
    assert known[2].facts["parameters"]["run_id"] == first.id


def test_a_notebook_sees_its_steps_go_by(ws, tmp_path):
    "The caller is a real kernel; elsewhere nothing is shown."
    import nbformat
    from nbclient import NotebookClient

    step = write(tmp_path / "one.ipynb", "n: int = 1  # number, times", f"{EMIT}emit(twice=2 * n)")
    code = (
        "from mlops_nb import Step, open_workspace, run\n"
        f"run(open_workspace({str(ws.root)!r}), [Step('one', {str(step)!r}, {{}})])\n"
        "None"
    )
    caller = nbformat.from_dict(page(None, code))
    NotebookClient(caller, timeout=120, kernel_name="python3").execute()
    (shown,) = caller.cells[0].outputs
    assert shown.data["text/markdown"].startswith("- one: ran, ")


def test_a_page_that_was_deleted_comes_back_from_the_blobs(ws, tmp_path):
    step = [Step("a", write(tmp_path / "a.ipynb", None, EMIT + "emit(a=1)"))]
    page = Path(run(ws, step)["a"].notebook)
    page.unlink()
    again = run(ws, step)["a"]
    assert again.status == "cached" and outputs(again.notebook) == {"a": 1}


def test_what_a_step_depends_on_is_part_of_its_key(ws, tmp_path):
    (tmp_path / "helper.py").write_text("import json, deeper\nvalue = deeper.value")
    (tmp_path / "deeper.py").write_text("value = 1")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.txt").write_text("a")
    code = EMIT + "import helper\nemit(a=helper.value, n=len(list(maps.iterdir())))"
    notebook = write(
        tmp_path / "a.ipynb", "from pathlib import Path\nmaps: Path = Path('maps')", code
    )
    plan = [Step("a", notebook)]
    assert run(ws, plan)["a"].outputs == {"a": 1, "n": 1}
    assert run(ws, plan)["a"].status == "cached"
    (tmp_path / "deeper.py").write_text("value = 22")
    assert run(ws, plan)["a"].outputs == {"a": 22, "n": 1}
    (tmp_path / "maps" / "b.txt").write_text("b")
    assert run(ws, plan)["a"].outputs == {"a": 22, "n": 2}


def test_a_failing_cell_ends_the_run_and_is_on_record(ws, chain, tmp_path):
    steps = chain()
    good = steps[1].notebook.read_text()
    write(steps[1].notebook, "m: int", "def f():\n    raise ValueError('no\\nsigns')", "f()")
    with pytest.raises(StepFailed) as caught:
        run(ws, steps)
    said, failed = str(caught.value), caught.value.run
    assert "Step second" in said and "In [4]: ValueError: no" in said and "line 2" in said
    assert statuses(failed) == ["ran", "failed", "not_run"]
    assert "ValueError" in Path(failed["second"].notebook).read_text()
    assert acts(ws, verb="run")[-1].facts["status"] == "failed"
    steps[1].notebook.write_text(good)
    assert statuses(run(ws, steps)) == ["cached", "ran", "ran"]


def test_a_kernel_that_dies_says_how(ws, tmp_path):
    notebook = write(tmp_path / "a.ipynb", None, "import ctypes", "ctypes.string_at(0)")
    with pytest.raises(StepFailed) as caught:
        run(ws, [Step("a", notebook)])
    said = str(caught.value)
    assert "cell 2: the kernel ended by SIGSEGV" in said and "Open " in said
    assert Path(caught.value.run["a"].notebook).exists()


def test_a_kernel_knows_its_workspace_whatever_the_folder_is_called(tmp_path):
    ws = open_workspace(tmp_path / "a {b} $HOME c")
    code = (
        EMIT + "import os\nfrom mlops_nb.workspace import open_workspace\nws = open_workspace()\n"
    )
    code += "emit(root=str(ws.root), actor=ws.actor, cwd=os.getcwd())"
    step = run(ws, [Step("a", write(tmp_path / "{a}.ipynb", None, code))], by="ana")["a"]
    assert step.outputs == {"root": str(ws.root), "actor": "ana", "cwd": str(tmp_path)}


def test_an_output_that_does_not_come_or_does_not_fit_is_named(ws, tmp_path):
    said = EMIT + "values = {'m': 'text'}\nemit(**values)"
    first = Step("a", write(tmp_path / "a.ipynb", None, said))
    second = write(tmp_path / "b.ipynb", "n: int", "n")
    with pytest.raises(PipelineError, match="was to emit 'k' and emitted m"):
        run(ws, [first, Step("b", second, {"n": Output("a", "k")})])
    with pytest.raises(PipelineError, match="`n` is 'text' \\(str\\), and must be int"):
        run(ws, [first, Step("b", second, {"n": Output("a", "m")})])


def test_an_unknown_kernel_is_named(ws, tmp_path):
    notebook = page(None, "1")
    notebook["metadata"]["kernelspec"] = {
        "name": "julia-9",
        "display_name": "J",
        "language": "julia",
    }
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    with pytest.raises(PipelineError, match="no kernel is called 'julia-9'"):
        run(ws, [Step("a", tmp_path / "a.ipynb")])


# bad days

RUNNER = """
import sys
from pathlib import Path
from mlops_nb.pipeline import Output, Step, run
from mlops_nb.workspace import open_workspace
here = Path(sys.argv[1])
steps = [Step("quick", here / "quick.ipynb"), Step("slow", here / "slow.ipynb", {"m": Output("quick", "m")})]
print([step.status for step in run(open_workspace(here / "ws"), steps).steps])
"""


def kernel_started(here: Path, runner: subprocess.Popen) -> psutil.Process:
    "Wait until the slow cell is running; the kernel it runs in."
    deadline = time.monotonic() + 60
    while not (here / "pid.txt").exists() or not (here / "pid.txt").read_text():
        assert runner.poll() is None, runner.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return psutil.Process(int((here / "pid.txt").read_text()))


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_runner_leaves_no_kernel_and_nothing_half(tmp_path, sig):
    write(tmp_path / "quick.ipynb", None, EMIT + "emit(m=1)")
    wait = (
        "import os, time\nfrom pathlib import Path\nPath('pid.txt').write_text(str(os.getpid()))\n"
    )
    wait += "while not Path('go.txt').exists(): sum(range(1000))"
    write(tmp_path / "slow.ipynb", "m: int", wait, EMIT + "emit(done=m)")
    command = [sys.executable, "-c", RUNNER, str(tmp_path)]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    kernel = kernel_started(tmp_path, runner)
    os.kill(runner.pid, sig)
    runner.communicate(timeout=30)
    gone, alive = psutil.wait_procs([kernel], timeout=15)
    assert gone and not alive, "the kernel outlived its runner"
    ws = open_workspace(tmp_path / "ws")
    for path in ws.root.rglob("*"):
        if path.suffix in (".json", ".ipynb") and not path.name.startswith("."):
            json.loads(path.read_text())
    (tmp_path / "go.txt").touch()
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert again.stdout.strip() == "['cached', 'ran']" and not again.stderr
    assert [a.facts["step"] for a in acts(ws, verb="run") if a.facts["status"] == "ran"] == [
        "quick",
        "slow",
    ]


def test_an_import_that_extends_the_path_changes_no_environment(monkeypatch):
    "setuptools adds the packages it carries to the path of whoever imports it."
    from mlops_nb.pipeline.keys import environment_digest, installed

    before, carried = environment_digest(), installed()
    import setuptools

    vendor = Path(setuptools.__file__).parent / "_vendor"
    assert list(vendor.glob("*.dist-info"))
    monkeypatch.syspath_prepend(str(vendor))
    assert environment_digest() == before and installed() == carried


@pytest.mark.parametrize("around", [Path(sys.prefix), Path(sys.prefix).parent])
def test_a_process_started_around_the_environment_knows_it(monkeypatch, around):
    "`python -m` puts its folder on the path, and an environment often lies in it."
    from mlops_nb.pipeline.keys import environment_digest, installed

    before = environment_digest()
    monkeypatch.syspath_prepend(str(around))
    assert environment_digest() == before and any(one.startswith("numpy-") for one in installed())

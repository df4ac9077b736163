"A notebook that goes on from the cell that failed: what is restored is what was, or nothing is."

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat import v4

from mlops_nb.ledger import acts
from mlops_nb.pipeline import Step, StepFailed, resume, run, runs

# The cell that takes long leaves a mark, by which it can be told how often it ran.
LONG = """
import os, time
with open(os.path.join(marks, "long"), "a") as file: file.write("x")
del file
time.sleep(2.2)
"""
END = "from mlops_nb.pipeline import emit\nemit(value=str(value))"


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setenv("MLOPS_NB_SNAPSHOT_S", "2")


def write(folder: Path, *cells: str) -> Step:
    made = [v4.new_code_cell(one) for one in ("marks: str\nn: int = 1", *cells)]
    made[0].metadata.tags = ["parameters"]
    page = v4.new_notebook(cells=made)
    page.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    (folder / "work.ipynb").write_text(json.dumps(page), encoding="utf-8")
    return Step("work", folder / "work.ipynb", {"marks": str(folder)})


def failed(ws, *cells: str, folder: Path):
    with pytest.raises(StepFailed) as caught:
        run(ws, [write(folder, *cells)])
    return caught.value.run


def page(done) -> dict:
    return json.loads(Path(done["work"].notebook).read_text())


def states(done) -> list[str]:
    return [cell["metadata"]["mlops_nb"]["status"] for cell in page(done)["cells"]]


def resumed(done) -> dict:
    return page(done)["metadata"]["mlops_nb"]["resumed"]


def times(folder: Path) -> int:
    return len((folder / "long").read_text())


def test_only_what_failed_runs_again_and_page_ledger_and_cache_say_so(ws, tmp_path):
    first = failed(ws, LONG + "value = 3\nprint('three')", "1 / 0", folder=tmp_path)
    (kept,) = ws.path("runs", first.id[4:]).glob("*.snapshot")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    step = write(tmp_path, LONG + "value = 3\nprint('three')", "value += 1", END)
    second = resume(ws, first.id)
    assert states(second) == ["restored"] * 3 + ["ran"] * 2 and times(tmp_path) == 1
    assert second["work"].outputs == {"value": "4"}
    long = page(second)["cells"][2]
    assert long["outputs"][0]["text"] == "three\n" and long["execution_count"] == 3
    assert long["metadata"]["mlops_nb"]["of"] == first.id
    assert page(second)["cells"][3]["execution_count"] == 4
    said = {"from": first.id, "restored": 3, "replayed": 0}
    assert acts(ws, verb="run")[-1].facts["resumed"] == said == resumed(second)
    whole = run(ws, [step])  # nobody has seen that result made from the first cell to the last
    assert states(whole) == ["ran"] * 5 and times(tmp_path) == 2
    assert run(ws, [step])["work"].status == "cached"
    assert not list(ws.path("runs", whole.id[4:]).glob("*.snapshot"))


STATE = {
    "a module of one's own": ("import tool\ntool.count = 7", "value = tool.count, tool.grow()", "(7, 8)"),
    "a function sees the variables of the notebook": (
        "k = 2\ndef double(x): return k * x", "k = 5\nvalue = double(2)", "10",
    ),
    "a class and what it made belong together": (
        "class Car:\n    wheels = 4\ncar = Car()", "Car.wheels = 3\nvalue = isinstance(car, Car), car.wheels",
        "(True, 3)",
    ),
    "two names of one list": ("a = b = [1]", "a.append(2)\nvalue = b", "[1, 2]"),
    "a module's alias": ("import json as j", "value = j.dumps([1])", "[1]"),
    "the folder and the path": (
        "import sys\nos.makedirs('in', exist_ok=True)\nos.chdir('in')\nsys.path.insert(0, 'extra')",
        "value = os.path.basename(os.getcwd()), sys.path[0]", "('in', 'extra')",
    ),
    "the environment": (
        "os.environ['CAMERA'] = 'left'\ndel os.environ['HOME']",
        "value = os.environ['CAMERA'], os.environ.get('HOME')", "('left', None)",
    ),
}  # fmt: skip


def test_what_is_restored_is_what_was(ws, tmp_path):
    (tmp_path / "tool.py").write_text("count = 1\ndef grow(): return count + 1\n")
    before = "\n".join(first for first, _, _ in STATE.values())
    after = "\n".join(f"{last}\nfound.append(str(value))" for _, last, _ in STATE.values())
    first = failed(ws, LONG + before, "1 / 0", folder=tmp_path)
    write(tmp_path, LONG + before, "found = []\n" + after, "value = found", END)
    second = resume(ws, first.id)
    assert states(second)[2] == "restored"
    assert second["work"].outputs["value"] == str([told for _, _, told in STATE.values()])


def test_random_numbers_go_on_as_if_nothing_had_happened(ws, tmp_path):
    seed = "import random, numpy as np\nrandom.seed(1); np.random.seed(2); rng = np.random.default_rng(3)\n"
    draw = "value = [random.random(), np.random.rand(), rng.random()]"
    whole = run(ws, [write(tmp_path, LONG + seed + draw, draw, END)])
    first = failed(ws, LONG + seed + draw, "1 / 0", folder=tmp_path)
    write(tmp_path, LONG + seed + draw, draw, "'not in the cache'", END)
    second = resume(ws, first.id)
    assert states(second)[2] == "restored"
    assert second["work"].outputs == whole["work"].outputs


@pytest.mark.parametrize(
    "left, said",
    [
        ("held = open(os.devnull)", "variable held (TextIOWrapper): it is an open file"),
        ("held = (n for n in range(3))", "variable held (generator)"),
        ("import threading; held = [threading.Lock()]", "variable held (list)"),
        ("import socket; held = socket.socket()", "variable held (socket)"),
        ("import threading; threading.Thread(target=time.sleep, args=(60,), name='pump').start()", "a thread runs (pump)"),
        ("import subprocess; subprocess.Popen(['sleep', '60'])", "1 child processes run"),
    ],
    ids=["file", "generator", "lock", "socket", "thread", "child"],
)  # fmt: skip
def test_what_cannot_be_kept_is_said_and_everything_runs_again(ws, tmp_path, left, said):
    first = failed(ws, LONG + left, "1 / 0", folder=tmp_path)
    assert not list(ws.path("runs", first.id[4:]).glob("*.snapshot*"))
    write(tmp_path, LONG + left, "value = 1", END)
    second = resume(ws, first.id)
    assert set(states(second)) == {"ran"} and times(tmp_path) == 2
    assert resumed(second)["restored"] == 0 and said in resumed(second)["why"]
    assert run(ws, [write(tmp_path, LONG + left, "value = 1", END)])["work"].status == "cached"


def alter(kept: Path) -> None:
    data = bytearray(kept.read_bytes())
    data[-5] ^= 1
    kept.write_bytes(data)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda f, k: alter(k), "its file was altered"),
        (lambda f, k: k.chmod(0o644), "its file is not its owner's alone"),
        (lambda f, k: k.unlink(), "FileNotFoundError"),
        (lambda f, k: k.with_name("work.ipynb").write_text("{}"), "the page is not the one on record"),
        (lambda f, k: (f / "tool.py").write_text("x = 2"), "of what it depends on, tool.py has changed"),
    ],
    ids=["altered", "open to others", "gone", "page", "module"],
)  # fmt: skip
def test_a_state_that_is_no_longer_true_is_not_restored(ws, tmp_path, spoil, said):
    (tmp_path / "tool.py").write_text("x = 1")
    first = failed(ws, LONG + "import tool", "1 / 0", folder=tmp_path)
    (kept,) = ws.path("runs", first.id[4:]).glob("*.snapshot")
    write(tmp_path, LONG + "import tool", "value = tool.x", END)
    spoil(tmp_path, kept)
    second = resume(ws, first.id)
    assert set(states(second)) == {"ran"} and times(tmp_path) == 2
    assert said in resumed(second)["why"]


def test_cells_after_the_snapshot_are_done_again_and_must_say_the_same(ws, tmp_path):
    same, other = "print('same')", "import itertools\nprint(os.urandom(8).hex())"
    first = failed(ws, LONG, same, "1 / 0", folder=tmp_path)
    write(tmp_path, LONG, same, "value = 1", END)
    second = resume(ws, first.id)
    assert states(second)[2:4] == ["restored", "ran"] and resumed(second)["replayed"] == 1
    third = failed(ws, LONG, other, "1 / 0", folder=tmp_path)
    write(tmp_path, LONG, other, "value = 1", END)
    fourth = resume(ws, third.id)
    assert set(states(fourth)) == {"ran"}
    assert resumed(fourth)["why"] == f"cell 4 says something else than in {third.id}"


def test_a_cell_that_was_edited_runs_and_so_does_all_after_it(ws, tmp_path):
    first = failed(ws, LONG, "value = 1", "1 / 0", folder=tmp_path)
    write(tmp_path, LONG + "# edited", "value = 1", END)
    second = resume(ws, first.id)
    assert set(states(second)) == {"ran"}
    assert resumed(second)["why"].startswith("no state was kept of the first 2 cells")


def test_a_killed_runner_loses_no_more_than_the_cell_it_was_in(ws, tmp_path):
    stuck = "open(os.path.join(marks, 'begun'), 'w').close()\ntime.sleep(300)"
    write(tmp_path, LONG, stuck)
    (tmp_path / "plan.py").write_text(
        "from mlops_nb.pipeline import Step\n"
        f"steps = [Step('work', 'work.ipynb', {{'marks': {str(tmp_path)!r}}})]\n"
    )
    command = [Path(sys.executable).with_name("mlops-nb"), "--workspace", str(ws.root)]
    with subprocess.Popen([*command, "run", str(tmp_path / "plan.py")]) as runner:
        until = time.monotonic() + 90
        while not (tmp_path / "begun").exists():
            assert runner.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        os.kill(runner.pid, signal.SIGKILL)
    (first,) = runs(ws)
    assert not acts(ws, verb="run")  # nobody was left to record it
    write(tmp_path, LONG, "value = 2", END)
    second = resume(ws, first.id)
    assert states(second)[2] == "restored" and times(tmp_path) == 1, resumed(second)
    write(tmp_path, LONG, "value = 3", "1 / 0")
    with pytest.raises(StepFailed) as caught:
        resume(ws, first.id)
    write(tmp_path, LONG, "value = 3", END)
    third = resume(ws, caught.value.run.id)  # by way of one that was restored itself
    assert states(third)[2] == "restored" and times(tmp_path) == 1
    assert page(third)["cells"][2]["metadata"]["mlops_nb"]["of"] == first.id


def test_a_run_that_goes_on_goes_under_its_own_id(ws, tmp_path):
    keep = LONG + "begun, value = run_id, 3"
    with pytest.raises(StepFailed) as caught:
        step = write(tmp_path, keep, "1 / 0")
        page_ = json.loads(step.notebook.read_text())
        page_["cells"][0]["source"] = "marks: str\nn: int = 1\nrun_id: str = ''"
        step.notebook.write_text(json.dumps(page_))
        run(ws, [step])
    first = caught.value.run
    page_["cells"][2]["source"] = (
        "from mlops_nb.pipeline import emit\nemit(begun=begun, now=run_id)"
    )
    step.notebook.write_text(json.dumps(page_))
    second = resume(ws, first.id)
    assert second["work"].outputs == {"begun": first.id, "now": second.id}
    assert states(second) == ["restored"] * 3 + ["ran"] and times(tmp_path) == 1

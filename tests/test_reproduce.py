"Months later, elsewhere: a run done again from nothing but what was recorded, and what is said of it."

import importlib.metadata
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from notebooks import EMIT, write
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mlops_nb.evidence import reproduce
from mlops_nb.evidence.verdicts import (
    RANKS,
    Finding,
    judge_accuracy,
    judge_bytes,
    judge_value,
    overall,
)
from mlops_nb.ledger import acts
from mlops_nb.pipeline import Output, Step, StepFailed, run
from mlops_nb.workspace import PipelineError, open_workspace

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("ipykernel", "nbclient", "nbformat", "sqlalchemy", "fsspec", "lazy-loader", "pyzmq")


def small_lock() -> str:
    "What a step needs that trains nothing, out of the project's own lock, with its hashes."
    needed, todo = set(), list(NEEDED)
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in needed:
            needed.add(name)
            for text in importlib.metadata.requires(name) or ():
                one = Requirement(text)
                if not one.marker or one.marker.evaluate({"extra": ""}):
                    todo.append(one.name)
    blocks = re.split(
        r"^(?=[a-z0-9])", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE
    )
    return "".join(b for b in blocks if canonicalize_name(re.split(r"[=\[ ]", b)[0]) in needed)


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path) -> Path:
    "A repository with a commit, a change that was not committed, and a file git does not know."
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "requirements.lock").write_text(small_lock())
    (folder / "lanes.py").write_text("WIDTH_M = 3.0\n")
    write(
        folder / "learn.ipynb",
        "n: int = 3",
        EMIT + "import lanes, new",
        "emit(area=n * lanes.WIDTH_M * new.LENGTH_M)",
    )
    write(folder / "judge.ipynb", "area: float", EMIT + "emit(good=area > 10)")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "lanes")
    (folder / "lanes.py").write_text("WIDTH_M = 3.5\n")
    (folder / "new.py").write_text("LENGTH_M = 2\n")
    return folder


def steps(project: Path) -> list[Step]:
    learn = Step("learn", project / "learn.ipynb", {"n": 4})
    return [learn, Step("judge", project / "judge.ipynb", {"area": Output("learn", "area")})]


def test_elsewhere_with_workspace_and_repository_moved_away(ws, project, tmp_path):
    done = run(ws, steps(project))
    shutil.rmtree(project)
    away = tmp_path / "away" / "memory"
    away.parent.mkdir()
    ws.root.rename(away)
    moved = open_workspace(away)
    said = []
    verdict = reproduce(moved, done.id, into=tmp_path / "again", progress=said.append)
    assert verdict.verdict == "identical" and not verdict.parts, str(verdict)
    assert [(one.step, one.name) for one in verdict.findings] == [
        ("judge", "good"),
        ("learn", "area"),
    ][::-1]
    assert any("code from what was kept of it, without commit" in note for note in verdict.notes)
    assert verdict.again != done.id and verdict.seconds > 0 and said[-1] == "comparing"
    python = tmp_path / "again" / "environment" / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import nbclient; print(nbclient.__file__)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert str(tmp_path / "again") in where.stdout  # its own packages, not ours
    (act,) = acts(moved, verb="reproduce")
    assert act.facts["verdict"] == "identical" and act.inputs == (done.id,)
    with pytest.raises(PipelineError, match="is not empty"):
        reproduce(moved, done.id, into=tmp_path / "again")


def test_the_commit_and_its_diff_are_checked_out_where_they_can_be(ws, project, tmp_path):
    done = run(ws, steps(project))
    (project / "lanes.py").write_text("WIDTH_M = 9\n")  # life goes on
    git(project, "commit", "-qam", "wider")
    run(ws, steps(project))
    again = run(ws, [Step("learn", project / "learn.ipynb", {"n": 5})])
    verdict = reproduce(ws, done.id, into=tmp_path / "again")
    assert verdict.verdict == "identical", str(verdict)
    assert any(
        note.startswith("code of commit") and "with its diff" in note for note in verdict.notes
    )
    checkout = next((tmp_path / "again" / "code").glob("commit-*"))
    assert (checkout / "lanes.py").read_text() == "WIDTH_M = 3.5\n"
    assert again["learn"].outputs == {"area": 90}


def test_what_comes_out_otherwise_is_named_with_the_first_place(ws, project, tmp_path):
    write(
        project / "learn.ipynb",
        "n: int = 3",
        "print('4 images')",
        EMIT + "import os, time\nmark = os.environ['MLOPS_NB_WORKSPACE']\nfar = 'again' in mark\n"
        "print('epoch 1')\nprint('loss', 0.5 + far / 1000)\nemit(area=20 * (1 + far * n / 1000))",
    )
    near = run(ws, [Step("learn", project / "learn.ipynb", {"n": 4})])
    verdict = reproduce(ws, near.id, into=tmp_path / "again1")
    assert verdict.verdict == "equivalent" and "0.40% apart" in str(verdict)
    assert verdict.parts == 'learn, code cell 3, line 2: "loss 0.5" then, "loss 0.501" now'


def test_a_verdict_is_the_worst_finding_and_bytes_alone_carry_none():
    found = [Finding("s", "n", verdict, "") for verdict in RANKS]
    assert overall(found[:1]) == "identical" and overall(found[:2]) == "equivalent"
    assert overall([found[2]]) == "different" and overall([found[0], found[2]]) == "equivalent"
    assert overall(found) == "different"
    assert judge_value(20.0, 20.08, 0.001)[0] == "different"
    assert judge_value({"a": [1, 2]}, {"a": [1]}, 0.5) == ("different", "a.length is 2 then, 1 now")
    assert judge_value(1.0, float("nan"), 0.5)[0] == "different"
    assert (
        judge_value(True, 1, 0.5)[0] == "identical" and judge_value("a", "b", 9)[0] == "different"
    )
    assert judge_bytes(b'{"m": "x", "v": 1}', b'{"m": "x", "v": 1.001}', 0.01)[0] == "equivalent"
    assert judge_bytes(b"PAR1\x00", b"PAR1\x01", 0.01)[0] == "not judged"
    near = {"clips": 90, "tolerance_frac": 0.01}
    assert judge_accuracy(0.0, -0.009, 0.009, **near)[0] == "equivalent"
    assert "too few clips" in judge_accuracy(0.0, -0.02, 0.02, **near)[1]
    assert judge_accuracy(-0.05, -0.07, -0.03, **near)[0] == "different"


def test_what_is_missing_makes_it_impossible_and_is_named(ws, project, tmp_path):
    done = run(ws, steps(project))
    source = next(
        act.facts["source"] for act in acts(ws, verb="run") if act.facts["step"] == "learn"
    )
    ws.path("blobs", source[5:7], source[5:]).unlink()
    verdict = reproduce(ws, done.id, into=tmp_path / "again")
    assert verdict.verdict == "impossible" and source in verdict.missing[0]
    with pytest.raises(PipelineError, match="no run run:0"):
        reproduce(ws, "run:" + "0" * 32, into=tmp_path / "no")


def test_a_version_that_is_gone_or_an_environment_that_cannot_be_made_is_impossible(
    ws, project, tmp_path
):
    (project / "requirements.lock").write_text("no-such-package==9.9.9 --hash=sha256:" + "0" * 64)
    done = run(ws, [Step("learn", project / "learn.ipynb", {"n": 4})])
    verdict = reproduce(ws, done.id, into=tmp_path / "again")
    assert (
        verdict.verdict == "impossible" and "install what was installed then" in verdict.missing[0]
    )


def test_files_a_path_points_to_must_be_where_and_what_they_were(ws, project, tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.txt").write_text("a")
    code = EMIT + "emit(n=len(list(Path(maps).iterdir())))"
    notebook = write(project / "maps.ipynb", "from pathlib import Path\nmaps: Path", code)
    done = run(ws, [Step("maps", notebook, {"maps": str(tmp_path / "maps")})])
    (tmp_path / "maps" / "a.txt").write_text("b")
    verdict = reproduce(ws, done.id, into=tmp_path / "again")
    assert verdict.verdict == "impossible" and "what maps pointed to" in verdict.missing[0]


def test_a_run_that_failed_has_nothing_to_compare_with(ws, tmp_path):
    with pytest.raises(StepFailed) as caught:
        run(ws, [Step("wrong", write(tmp_path / "wrong.ipynb", "n: int = 1", "1 / 0"))])
    with pytest.raises(PipelineError, match="failed and left nothing to compare with"):
        reproduce(ws, caught.value.run.id, into=tmp_path / "again")

"Tutorials: six people work through one workspace, and a page also runs alone."

import json
import os

import pytest
from tutorials import PAGES, executed

from mlops_nb.data import ingest, tag, validate
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.ledger import acts
from mlops_nb.serve import deployments
from mlops_nb.workspace import open_workspace

ROLES = ("data_engineer", "data_scientist", "ml_engineer", "reviewer", "devops",
         "application_developer")  # fmt: skip


def source(cell: dict) -> str:
    return "".join(cell["source"])


def test_there_is_a_page_for_every_role():
    assert [path.stem.partition("_")[2] for path in PAGES] == list(ROLES)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_tutorial_is_a_page_with_small_outputs(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert source(cells[0]).startswith("# ") and "\n> " in source(cells[0])
    assert cells[1]["metadata"]["tags"] == ["parameters"] and "workspace: str" in source(cells[1])
    assert sum(cell["cell_type"] == "markdown" for cell in cells) >= 5
    assert all(len(source(cell).splitlines()) <= 20 for cell in cells)
    assert "#| export" not in path.read_text("utf-8")
    shown = [out for cell in cells for out in cell.get("outputs", ())]
    assert shown and len(json.dumps(shown)) < 150_000
    assert not any("widget-view" in key for out in shown for key in out.get("data", {}))


@pytest.mark.timeout(900)
def test_what_one_makes_the_next_finds(tmp_path):
    place = tmp_path / "workspace"
    ledger = {}
    for path in PAGES:
        executed(path, place)
        ws = open_workspace(place)
        ledger[path.stem.partition("_")[2]] = [act.verb for act in acts(ws)]
    assert ledger["data_engineer"][-1] == "tag"
    assert ledger["data_scientist"][-1] == "gate"
    assert ledger["ml_engineer"][-1] == "propose"
    assert ledger["reviewer"][-2:] == ["approve", "promote"]
    assert {"deploy", "page", "acknowledge", "stop"} <= set(ledger["devops"])
    made = ledger["application_developer"]
    once = (
        "ingest",
        "split",
        "validate",
        "tag",
        "gate",
        "register",
        "propose",
        "approve",
        "promote",
    )
    assert {verb: made.count(verb) for verb in once} == dict.fromkeys(
        once, 1
    )  # nobody did it twice
    assert {act.by for act in acts(ws)} == {"ann", "ben", "olu", "kim"}
    assert not deployments(ws)


@pytest.mark.timeout(900)
def test_a_page_alone_plays_the_colleagues_before_it(tmp_path):
    (page,) = (path for path in PAGES if path.stem.endswith("devops"))
    executed(page, tmp_path / "alone")
    verbs = [act.verb for act in acts(open_workspace(tmp_path / "alone"))]
    for verb in (
        "tag",
        "run",
        "gate",
        "register",
        "propose",
        "approve",
        "promote",
        "deploy",
        "page",
    ):
        assert verb in verbs


@pytest.mark.timeout(600)
def test_pages_stay_beside_what_a_workspace_has_and_may_run_again(ws, tmp_path):
    "As after `make demo`, whose data set, model and deployment are called signs."
    write_crops(tmp_path / "signs", drives(0, 4))
    ingest(ws, tmp_path / "signs", "signs", by="dora")
    validate(ws, "signs", by="dora")
    known = tag(ws, "signs", "v1", by="dora")
    page = PAGES[0]
    for _ in range(2):
        executed(page, ws.root)
    tags = [(act.facts["ref"], act.by) for act in acts(ws, verb="tag")]
    assert tags == [(known, "dora"), ("town@v1", "ann")]


def test_they_are_executed_where_the_environment_says(tmp_path, monkeypatch):
    from mlops_nb.demo.team import team_workspace

    monkeypatch.setenv("MLOPS_NB_WORKSPACE", str(tmp_path / "ours"))
    assert team_workspace().root == tmp_path / "ours"
    assert team_workspace(str(tmp_path / "mine")).root == tmp_path / "mine"
    monkeypatch.delenv("MLOPS_NB_WORKSPACE")
    assert team_workspace().root != team_workspace().root
    assert not os.path.exists(".mlops")

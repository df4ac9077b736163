"Every template runs on a tiny set, and is written the way templates are."

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "templates").glob("*.ipynb"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.stem)
def test_a_template_is_short_and_in_order(path):
    from mlops_nb.pipeline import parameters
    from mlops_nb.pipeline.notebook import declared
    from mlops_nb.pipeline.promises import promise_faults

    page = json.loads(path.read_text("utf-8"))["cells"]
    assert len(page) <= 20 and path.stat().st_size < 50_000
    title = "".join(page[0]["source"])
    assert title.startswith("# ") and "\n> " in title
    assert [cell["metadata"]["tags"] for cell in page[1:3]] == [["parameters"], ["outputs"]]
    text = "\n".join("".join(cell["source"]) for cell in page)
    heads = re.findall(r"^## (\w+)", text, re.MULTILINE)
    assert heads[0] == "Load" and heads[-1] == "Save"
    known, faults = declared(path, "outputs")
    assert known and not faults and not promise_faults(path)
    assert all(p.help for p in [*parameters(path), *known]), "every line says what it means"
    assert {p.name for p in parameters(path)} >= {"run_id"}
    assert not any(cell.get("outputs") for cell in page), "templates are kept without outputs"


def run_by_hand(ws, path: Path, values: dict) -> None:
    "Run All, as a person does who changed the parameters in the page; it must show a picture."
    import nbformat
    from nbclient import NotebookClient

    page = nbformat.read(path, as_version=4)
    lines = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    page.cells.insert(2, nbformat.v4.new_code_cell(lines))
    os.environ["MLOPS_NB_WORKSPACE"] = str(ws.root)
    try:
        NotebookClient(page, kernel_name="python3", timeout=200).execute()
    finally:
        del os.environ["MLOPS_NB_WORKSPACE"]
    shown = [kind for cell in page.cells for out in cell.get("outputs", ())
             for kind in out.get("data", ())]  # fmt: skip
    assert "image/png" in shown, f"{path.name} shows no picture"


@pytest.mark.timeout(600)
def test_every_template_runs_on_a_tiny_set(ws, tmp_path):
    import io

    from pyarrow import parquet

    from mlops_nb import (
        Output,
        Step,
        data,
        get_blob,
        load_bundle,
        put_blob,
        reference,
        run,
        template,
    )
    from mlops_nb.images.scenes import drives, write_crops
    from mlops_nb.model import load_encoder
    from mlops_nb.selection import shipped_encoder

    write_crops(tmp_path / "tiny", drives(11, 60))
    data.ingest(ws, tmp_path / "tiny", "tiny")
    data.split(ws, "tiny")
    (tmp_path / "tiny.toml").write_text("[sensors.windscreen]\nhorizon = 0.4\n")
    data.set_contract(ws, "tiny", tmp_path / "tiny.toml")
    data.validate(ws, "tiny")
    ref = data.tag(ws, "tiny", "v1")
    train = Step("train", template("train"), {"data": ref, "name": "tiny", "epochs": 1, "width": 8})
    judged = {"bundle": Output("train", "bundle"), "data": ref, "where": "split != 'train'"}
    done = run(ws, [train, Step("evaluate", template("evaluate"), judged)])
    assert [step.status for step in done.steps] == ["ran", "ran"]

    made = done["evaluate"].outputs
    table = parquet.read_table(io.BytesIO(get_blob(ws, made["predictions"])))
    classes = tuple(json.loads(get_blob(ws, made["report"]))["classes"])
    model_id = done["train"].outputs["bundle"]
    accepted = reference(table, model_id=model_id, classes=classes)
    served = io.BytesIO()  # in the order in which cars send: drive after drive
    parquet.write_table(table.sort_by([("clip", "ascending"), ("sample_id", "ascending")]), served)
    given = {
        "log": put_blob(ws, served.getvalue()),
        "reference": put_blob(ws, accepted.to_json().encode()),
    }
    watched = run(ws, [Step("monitor", template("monitor"), given)])
    assert watched["monitor"].outputs["paged"] is False
    assert watched["monitor"].outputs["outside"] == 0.0
    held = data.contract(ws, ref)
    assert load_bundle(ws, model_id).rules == held.input_rules() and held.sensors

    by_hand = {
        "train": train.parameters,
        "evaluate": judged | {"bundle": model_id},
        "monitor": given,
    }
    for name, values in by_hand.items():
        run_by_hand(ws, template(name), values)
    tiny = {"data": ref, "plates": 24, "drives": 3, "steps": 2, "batch": 12}
    learnt = run(ws, [Step("encoder", template("encoder"), tiny)])
    graph = get_blob(ws, learnt["encoder"].outputs["encoder"])
    shipped = shipped_encoder()
    assert len(graph) == pytest.approx(len(shipped.graph), abs=20_000)
    assert load_encoder(graph).dims == shipped.dims

    again = run(ws, [train, Step("evaluate", template("evaluate"), judged)])
    assert [step.status for step in again.steps] == ["cached", "cached"]
    assert again["train"].outputs == done["train"].outputs
    ran = {step.name for steps in (done, watched, learnt) for step in steps.steps}
    assert ran == {path.stem for path in TEMPLATES}, "a template nobody runs"

"A small workspace with everything a panel shows: data, two models that were judged, what people decided."

import io
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from mlops_nb.data import datasets, ingest, tag, validate
from mlops_nb.evaluate import Policy, evaluate, judge
from mlops_nb.images.scenes import drives, write_crops
from mlops_nb.ledger import record
from mlops_nb.model import export
from mlops_nb.registry import register
from mlops_nb.workspace import put_blob

CLASSES = ["stop", "yield"]


def dataset(ws, folder: Path, name: str = "signs") -> str:
    "Drives of road signs, and one file that is no image."
    write_crops(folder, drives(0, 6))
    (folder / "stop").mkdir(exist_ok=True)
    (folder / "stop" / "broken.png").write_bytes(b"no image")
    ingest(ws, folder, name, by="ann")
    validate(ws, name, by="ann")
    assert datasets(ws) == (name,)
    return tag(ws, name, "v1", by="ann")


def bundle(folder: Path, k: int):
    "The smallest model there can be: it says stop where k is 2, and yield where it is 0."
    import torch

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.tensor([float(k), 1.0]))
    story = {"data": "data:" + "d" * 64, "run": f"run:{str(k) * 32}"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return export(
            network, folder / str(k), classes=CLASSES, size=(4, 4), mean=[0.5] * 3, std=[0.5] * 3,
            example_images=[np.zeros((8, 8, 3), np.uint8)], **story,
        )  # fmt: skip


def evaluated(ws, model: str, *, right: float, clips: int = 40, frames: int = 8) -> dict:
    "Put an evaluation of a model on record, as the step `evaluate` of a run does; what it emitted."
    rng = np.random.default_rng(int(right * 100))
    n = clips * frames
    label = np.array(CLASSES)[np.arange(n) // frames % 2]
    other = np.array(CLASSES)[1 - np.arange(n) // frames % 2]
    said = np.where(rng.random(n) < right, label, other)
    high = rng.uniform(0.7, 1, n)
    columns = {
        "image_id": [f"img:{i:064x}" for i in range(n)],
        "clip": [f"drive-{i // frames}" for i in range(n)],
        "label": label, "predicted": said, "score": high.astype(np.float32),
        "scores": [[h, 1 - h] if s == "stop" else [1 - h, h] for h, s in zip(high, said)],
    }  # fmt: skip
    table = pa.table(columns)
    table = table.set_column(5, "scores", table["scores"].cast(pa.list_(pa.float32())))
    report = evaluate(table, classes=CLASSES, model=model, data="data:" + "e" * 64)
    packed = io.BytesIO()
    parquet.write_table(table, packed)
    blobs = [put_blob(ws, report.to_json().encode()), put_blob(ws, packed.getvalue())]
    words = ("report of evaluate", "predictions of evaluate")
    facts = {"run": "run:" + "e" * 32, "step": "evaluate", "labels": dict(zip(blobs, words))}
    record(ws, "run", by="ann", inputs=[model, "run:" + "e" * 32], outputs=blobs, facts=facts)
    return dict(zip(("report", "predictions"), blobs))


def models(ws, folder: Path) -> list[str]:
    "Two versions of a model: the second is better, and judged beside the first; ids of the bundles."
    made, champion = [bundle(folder, k) for k in (0, 2)], None
    for one, right in zip(made, (0.8, 0.95)):
        register(ws, one, name="signs", by="ann")
        emitted = evaluated(ws, one.id, right=right)
        judge(ws, emitted, champion, policy=Policy(min_accuracy=0.7), by="ann")
        champion = emitted
    return [one.id for one in made]

"What a small town's team has in its workspace one morning; a notebook that takes its time."

import json
import sys
from pathlib import Path

import numpy as np

from mlops_nb.data import ingest, tag, validate
from mlops_nb.evaluate.judging import decisions
from mlops_nb.images.pixels import encode
from mlops_nb.ledger import approve, propose
from mlops_nb.monitor import Alert, page
from mlops_nb.registry import promote
from mlops_nb.serve import classify, deploy
from mlops_nb.workspace import open_workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "lab"))
import servers
import worlds


def town(home: Path):
    "Data that were checked, a model in staging that pages, and a better one that waits for a word."
    ws = open_workspace(home / "workspace")
    worlds.dataset(ws, home / "signs")
    boxes(home / "boxes")
    ingest(ws, home / "boxes", "boxes", by="dora")
    validate(ws, "boxes", by="dora")
    tag(ws, "boxes", "v1", by="dora")
    bundles = worlds.models(ws, home / "bundles")
    for version, bundle in enumerate(bundles, 1):
        asked = proposed(ws, bundle, f"better than what was there before {version}")
        approve(ws, asked, by="bob", comment="the slices hold")
        promote(ws, "signs", version, alias="staging", proposal=asked, by="bob")
    proposed(ws, bundles[1], "once more, for the night shift")
    watched(ws, home / "bundles" / "2", bundles[1])
    return ws


def boxes(folder: Path, n: int = 4) -> None:
    "Pictures with a box each; that of the last one sticks out."
    folder.mkdir()
    images = [{"id": k, "file_name": f"{k}.png", "width": 64, "height": 48} for k in range(n)]
    found = [
        {"id": k, "image_id": k, "category_id": 1, "bbox": [4 + 30 * (k == n - 1), 4, 40, 30]}
        for k in range(n)
    ]
    for k in range(n):
        picture = np.random.default_rng(k).integers(0, 255, (48, 64, 3)).astype(np.uint8)
        (folder / f"{k}.png").write_bytes(encode(picture))
    said = {"images": images, "annotations": found, "categories": [{"id": 1, "name": "stop"}]}
    (folder / "labels.json").write_text(json.dumps(said))


def proposed(ws, bundle: str, summary: str) -> str:
    "Ann asks that it should replace what runs."
    verdict = decisions(ws, bundle)[0]
    return propose(ws, candidate=bundle, baseline=verdict.baseline, decision=verdict.to_dict(),
                   summary=summary, by="ann").id  # fmt: skip


def watched(ws, folder: Path, bundle: str) -> None:
    "A deployment that answered about a few drives, and somebody was woken."
    server = deploy(ws, folder, name="staging", by="ann")
    for frame in range(40):
        picture = encode(np.full((8, 8, 3), frame, np.uint8))
        classify(server, picture, clip=f"drive-{frame // 8}")
    told = {"level": "page", "at_frame": 40, "at_clip": "drive-4", "statistic": "top_score"}
    told |= {"class_name": None, "before": 0.9, "after": 0.5, "p_adjusted": 1e-6}
    told |= {"threshold": 1e-4, "model_id": bundle, "sentence": "Page after 40 frames."}
    page(ws, Alert(**told), deployment="staging", by="monitor")


def notebook(path: Path, *, cells: int, seconds: float) -> None:
    "A step that takes its time."
    waits = [f"time.sleep(pause)\nprint('{k + 1} done')" for k in range(cells)]
    made = json.loads(servers.page("import time", *waits, parameters=f"pause: float = {seconds}"))
    made["metadata"] = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    path.write_text(json.dumps(made))

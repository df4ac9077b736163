"""The walk's figures: time, what snow costs, when the page goes out, false pages, photographs.

python benchmarks/walk.py                                  # drawn scenes
python benchmarks/walk.py --data ../shared/data/gtsrb      # and photographs
"""

import argparse
import io
import json
import tempfile
import time
from pathlib import Path

from pyarrow import parquet

from mlops_nb import (
    Reference,
    Report,
    demo,
    get_blob,
    load_bundle,
    models,
    open_workspace,
    predict_table,
    reference,
    watch,
)

RUNS = 20  # without snow


def step_outputs(ws, step: str) -> dict:
    "What the oldest run of a step emitted, and how long it took."
    runs = sorted(ws.path("runs").glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    steps = [one for path in runs for one in json.loads(path.read_text())["steps"]]
    found = next(one for one in steps if one["name"] == step and one["status"] == "ran")
    return found["outputs"] | {"seconds": found["seconds"]}


def stamp(name: str, walk, seconds: float) -> None:
    late = walk.paged_at_frame and walk.paged_at_frame - walk.storm_at_frame
    print(f"{name:<34} {seconds:7.1f} s, {len(walk.stages)} stages")
    print(f"  accuracy autumn, first snow      {walk.accuracy_calm:.3f}, {walk.accuracy_storm:.3f}")
    print(f"  frames of snow until the page    {late}")
    print(
        f"  accuracy retrained, later snow   {walk.accuracy_after:.3f}, quiet: {walk.quiet_after}"
    )


def walk_twice(ws, name: str, **how):
    "The demo, and the demo again."
    for what in (f"{name}, first", f"{name}, again"):
        began = time.perf_counter()
        walk = demo(ws, **how)
        stamp(what, walk, time.perf_counter() - began)
    ran = [stage.name for stage in walk.stages if not stage.repeated and stage.seconds > 1]
    print(f"  not repeated from the first      {', '.join(ran) or 'everything'}")
    return walk


def first_reference(ws, name: str) -> tuple[Reference, object]:
    "The first model, and its reference as the demo takes it."
    bundle = load_bundle(ws, min(models(ws), key=lambda m: m.version).bundle_id)
    made = parquet.read_table(io.BytesIO(get_blob(ws, step_outputs(ws, "evaluate")["predictions"])))
    return reference(made, model_id=bundle.id, classes=tuple(bundle.classes)), bundle


def without_snow(ws, drives_each: int = 40) -> None:
    "Other seeds, nothing changed: how often is somebody paged?"
    from mlops_nb import data
    from mlops_nb.images.scenes import drives, write_crops

    known, bundle = first_reference(ws, "signs")
    paged = 0
    for seed in range(RUNS):
        with tempfile.TemporaryDirectory() as place:
            other = open_workspace(place)
            write_crops(Path(place) / "crops", drives(1000 + seed, drives_each))
            data.ingest(other, Path(place) / "crops", "calm")
            table = predict_table(bundle, data.read(other, "calm"))
            seen = watch(table.sort_by("clip"), known)
            paged += seen.paged
    print(f"pages in {RUNS} runs without snow      {paged} ({drives_each * 8} frames each)")


def photographs(ws, folder: Path) -> None:
    walk_twice(ws, f"demo --data {folder.name}", data=folder)
    trained, judged = step_outputs(ws, "train"), step_outputs(ws, "evaluate")
    report = Report.from_json(get_blob(ws, judged["report"]).decode())
    low, value, high = (trained[key] for key in ("val_low", "val_accuracy", "val_high"))
    print(f"  validation accuracy              {value:.3f} [{low:.3f}, {high:.3f}]")
    shown = report.accuracy
    print(
        f"  test accuracy                    {shown.value:.3f} [{shown.low:.3f}, {shown.high:.3f}]"
    )
    print(f"  train step, kernel start to end  {trained['seconds']:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--fast", action="store_true")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        ws = open_workspace(place)
        walk_twice(ws, "demo", fast=told.fast)
        without_snow(ws)
    if told.data:
        with tempfile.TemporaryDirectory() as place:
            photographs(open_workspace(place), told.data)


if __name__ == "__main__":
    main()

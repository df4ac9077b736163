"""Seconds of one core that the checks of drives take, for 20,000 and for 200,000 rows: does the cost grow linearly?

    python benchmarks/data_drives.py [ROWS]

No images and no sweeps: what is measured is the work on rows. The physical limit named beside it is
json.loads of the same facts and boxes, which somebody has to read at least once.
"""

import json
import sys
import time

import numpy as np
from measuring import figure

from mlops_nb.data import coverage, motion, origins, rights, sensors, streams, sweeps, tracks

MOUNT = [[0, 0, 1, 1.5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]


def rows_of(n: int, frames: int = 1000, boxes: int = 5) -> list[dict]:
    "Drives of 1,000 frames at 10 Hz with five tracked boxes in each frame, as a table gives them."
    made = []
    for k in range(n):
        drive, frame = divmod(k, frames)
        calibration = {"intrinsics": [[700 + drive % 3, 0, 641], [0, 700, 359], [0, 0, 1]],
                       "distortion": [0.0] * 5, "size": [1280, 720], "extrinsics": MOUNT}  # fmt: skip
        facts = {"frame": frame, "vehicle": f"a{drive % 5}", "speed_mps": 10.0, "licence": "own",
                 "ego_pose": {"x": float(frame), "y": 0.0, "z": 0.0, "yaw": 0.0},
                 "calibration": calibration}  # fmt: skip
        own = [{"class": ("car", "van")[j % 2], "x0": 200.0 * j + 10, "y0": 300.0,
                "x1": 200.0 * j + 90, "y1": 350.0, "track": f"{j}-{frame // 200}", "ignore": False,
                "more": json.dumps({"location": [j, 1.5, 20.0], "dimensions": [1.5, 1.8, 4.2],
                                    "occluded": 0})} for j in range(boxes)]  # fmt: skip
        made.append({"sample_id": f"smp:{k:064x}", "image_id": f"img:{k:064x}", "label": None,
                     "source": f"fleet/{drive:04}/{frame:06}.jpg", "width": 1280, "height": 720,
                     "split": None, "clip": None, "drive": f"d{drive}", "track": None,
                     "sensor": "front", "weather": ("sun", "rain")[drive % 2], "light": "day",
                     "captured_at": f"2026-03-{1 + drive % 28:02}T{drive // 28 % 24:02}:"
                     f"{frame // 600:02}:{frame // 10 % 60:02}.{frame % 10}00000Z",
                     "road": None, "region": "DE", "latitude": 48 + frame / 111_195,
                     "longitude": 11.0, "boxes": own, "brightness": 0.5, "measures": None,
                     "facts": json.dumps(facts)})  # fmt: skip
    return made


def seconds(work) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def loads(rows: list[dict]):
    for row in rows:
        json.loads(row["facts"])
        for box in row["boxes"]:
            json.loads(box["more"])


def measure(n: int) -> dict[str, float]:
    rows = rows_of(n)
    took = {"json.loads (the limit)": seconds(lambda: loads(rows))[0]}
    took["parsed"], ready = seconds(lambda: streams.parsed(rows))
    for module in (tracks, sensors, motion, sweeps, coverage, rights, origins):
        took[module.__name__.rsplit(".", 1)[1]] = seconds(lambda m=module: m.check(ready))[0]
    return took


def main(n: int = 200_000):
    np.random.default_rng(0)
    measure(1000)  # imports, and the gates that `coverage` simulates once
    small, large, again = measure(n // 10), measure(n), measure(n // 10)
    print(f"{'':24} {n // 10:>9,} rows {n:>9,} rows   ratio   of the limit")
    limit = large["json.loads (the limit)"]
    for name in large:
        few = min(small[name], again[name])
        print(f"{name:24} {few:12.2f} s {large[name]:12.2f} s {large[name] / few:7.1f} "
              f"{large[name] / limit:10.1f}")  # fmt: skip
    total = sum(large.values()) - limit
    figure(f"{n:,} rows: all checks of drives, json.loads", total, limit, unit="s")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""Drawn drives of sign-like pictures in day, night, fog and snow, with image faults planted.

How strong a fault is, is drawn too, over what a person would call that fault; no range was chosen by
a limit of a check. For tests and benchmarks.
"""

import hashlib
import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from mlops_nb.data.measuring import measure
from mlops_nb.data.store import leaf
from mlops_nb.images.pixels import encode, image_id

SIZE = (96, 128)  # height, width


def scene(seed: int, camera: int = 0) -> np.ndarray:
    "A road-like picture of its own: gradient, blobs, a sign, the sensor's noise."
    draw = np.random.default_rng(seed)
    small = draw.integers(40, 200, (6, 8, 3), np.uint8)
    image = cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    for _ in range(6):
        x, y, r = draw.integers(5, 120), draw.integers(5, 90), draw.integers(4, 18)
        colour = tuple(int(v) for v in draw.integers(20, 230, 3))
        cv2.circle(image, (int(x), int(y)), int(r), colour, -1)
    noise = draw.normal(0, 3, image.shape)
    return np.clip(image + noise, 1, 240).astype(np.uint8)


def under(image: np.ndarray, drive: int, draw: np.random.Generator) -> np.ndarray:
    "The scene as its drive saw it: drive 6 at night, 7 in fog, 8 in snow, all others by day."
    seen = image.astype(np.float32)
    if drive == 6:
        seen = seen * draw.uniform(0.25, 0.5) + draw.normal(0, 5, image.shape)
        x, y = draw.integers(10, 118), draw.integers(20, 80)
        cv2.circle(seen, (int(x), int(y)), int(draw.integers(2, 5)), (250, 240, 210), -1)
    elif drive == 7:
        thick = draw.uniform(0.2, 0.55)
        seen = seen * (1 - thick) + 200 * thick
    elif drive == 8:
        seen = seen * 0.7 + 60
        for x, y in draw.integers(0, (128, 96), (int(draw.integers(30, 120)), 2)):
            cv2.circle(seen, (int(x), int(y)), int(draw.integers(1, 3)), (235, 235, 240), -1)
    return np.clip(seen, 1, 254).astype(np.uint8)


def _turned(image: np.ndarray, draw) -> bytes:
    out, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = int(draw.integers(2, 9))
    Image.fromarray(image).save(out, "JPEG", quality=95, exif=tags)
    return out.getvalue()


def _banded(image: np.ndarray, draw) -> bytes:
    image = cv2.resize(image, (384, 288))
    turns = np.arange(288) / 288 * draw.uniform(6, 25) + draw.random()
    lines = draw.uniform(10, 40) * np.sin(2 * np.pi * turns)
    return encode(np.clip(image + lines[:, None, None], 0, 255).astype(np.uint8))


def _exposed(image: np.ndarray, draw) -> bytes:
    if draw.random() < 0.5:
        return encode((image * draw.uniform(0.01, 0.06)).astype(np.uint8))
    return encode(np.clip(image * 1.0 + draw.uniform(180, 240), 0, 255).astype(np.uint8))


def _uniform(image: np.ndarray, draw) -> bytes:
    flat = draw.integers(30, 225) + draw.normal(0, draw.uniform(0, 0.4), image.shape)
    return encode(flat.astype(np.uint8))


def _blackened(image: np.ndarray, draw) -> bytes:
    image, rows = image.copy(), int(draw.uniform(0.55, 1) * 96)
    image[:rows] = 0
    return encode(image if draw.random() < 0.5 else image[::-1].copy())


def _grey(image: np.ndarray, draw) -> bytes:
    one = image[..., 1] if draw.random() < 0.5 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return encode(one[..., None].repeat(3, 2))


def _cut(image: np.ndarray, draw) -> bytes:
    data = encode(image, "jpeg" if draw.random() < 0.5 else "png")
    return data[: int(len(data) * draw.uniform(0.01, 0.98))]


def _sized(image: np.ndarray, draw) -> bytes:
    return encode(cv2.resize(image, (int(draw.integers(40, 120)), int(draw.integers(40, 90)))))


# check -> the planted file, from a picture and what is drawn
FAULTS = {
    "A1": _cut,
    "A2": lambda image, draw: b"",
    "A4": _sized,
    "A5": lambda image, draw: encode(cv2.resize(image, (int(96 * draw.uniform(4.5, 9)), 96))),
    "A6": _exposed,
    "A7": lambda image, draw: encode(cv2.GaussianBlur(image, (0, 0), draw.uniform(3, 8))),
    "A8": _uniform,
    "A9": _grey,
    "A13": _banded,
    "A14": _turned,
    "A15": lambda image, draw: encode(image, "jpeg", quality=int(draw.integers(10, 61))),
    "A16": _blackened,
}  # fmt: skip


def sample(name: str, data: bytes, **known) -> dict:
    "A measured row."
    row = dict.fromkeys(("drive", "track", "captured_at", "weather", "light", "sensor", "road",
                         "region", "split", "latitude", "longitude"))  # fmt: skip
    row |= {"sample_id": f"smp:{hashlib.sha256(name.encode()).hexdigest()}", "image": data,
            "image_id": image_id(data), "source": f"cam/{name}", "label": "stop", "boxes": [],
            "facts": "{}"} | known  # fmt: skip
    row["clip"] = row["drive"] or row["track"] or row["image_id"]
    row |= {"content": "", "leaf": leaf(row)} | measure(row)
    del row["image"]
    return row


def planted(
    n: int, seed: int = 0, save: Callable[[str, bytes], None] | None = None
) -> tuple[list[dict], dict[str, set[str]]]:
    "n clean frames of 10 drives, and faults; the rows, and which sources each check must name."
    rows, wanted = [], {check: set() for check in FAULTS}

    def add(name: str, data: bytes, **known) -> None:
        rows.append(sample(name, data, **known))
        if save:
            save(name, data)

    for k in range(n):
        drive, draw = k % 10, np.random.default_rng([seed, 1, k])
        data = encode(under(scene(seed + k), drive, draw), "jpeg", quality=95)
        known = {
            "drive": f"d{drive}",
            "sensor": "front",
            "split": "test" if drive == 0 else "train",
        }
        add(f"{drive}/{k:06}.jpg", data, **known)
    for i, (check, make) in enumerate(FAULTS.items()):
        for j in range(max(1, n // 500)):
            drive, draw = j % 5 + 1, np.random.default_rng([seed, 2, i, j])
            source = f"{drive}/f{check}-{j}.jpg"
            data = make(scene(seed + 10_000_000 + 1000 * i + j), draw)
            known = {"drive": f"d{drive}", "sensor": "front", "split": "train"}
            add(source, data, **known)
            wanted[check].add(f"cam/{source}")
    for check, sources in _copies(add, seed, max(1, n // 500)).items():
        wanted[check] = sources
    return rows, wanted


def _near(image: np.ndarray, draw) -> bytes:
    "Saved again by somebody: smaller and back, a little brighter or darker, another quality."
    share = draw.uniform(0.6, 0.95)
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, SIZE[::-1]) + draw.uniform(-12, 12)
    quality = int(draw.integers(76, 96))
    return encode(np.clip(again, 1, 254).astype(np.uint8), "jpeg", quality=quality)


def _copies(add: Callable, seed: int, n: int) -> dict[str, set[str]]:
    "Copies and frozen frames; sources are spelt so that order by name is order in time."
    wanted = {"B3": set(), "B8": set(), "A12": set()}
    known = {"sensor": "front", "split": "train"}
    for j in range(n):
        draw, base = np.random.default_rng([seed, 3, j]), scene(seed + 10 * j)  # of drive 0, test
        exact = encode(under(base, 0, draw), "jpeg", quality=95)
        add(f"1/exact{j}.jpg", exact, drive="d1", **known)
        add(f"2/near{j}.jpg", _near(base, draw), drive="d2", **known)
        wanted["B3"] |= {f"cam/1/exact{j}.jpg", f"cam/2/near{j}.jpg"}
        turned = scene(seed + 10 * j + 1)[:, ::-1].copy()  # of drive 1, train
        mirror = encode(turned, "jpeg", quality=int(draw.integers(80, 96)))
        add(f"0/mirror{j}.jpg", mirror, drive="d0", sensor="front", split="test")
        wanted["B8"].add(f"cam/0/mirror{j}.jpg")
        frozen = encode(scene(seed + 20_000_000 + j), "jpeg", quality=95)
        for k in (1, 2):
            add(f"9/z{j:03}-{k}.jpg", frozen, drive="d9", **known)
        wanted["A12"].add(f"cam/9/z{j:03}-2.jpg")
    return wanted

"Drawn drives of sign-like pictures, with one of each image fault planted; for tests and benchmarks."

import hashlib

import cv2
import numpy as np

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


def _turned(image: np.ndarray) -> bytes:
    import io

    from PIL import Image

    out, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(image).save(out, "JPEG", quality=95, exif=tags)
    return out.getvalue()


def _banded(image: np.ndarray) -> np.ndarray:
    lines = 25 * np.sin(np.arange(image.shape[0]) / image.shape[0] * 2 * np.pi * 9)
    return np.clip(image + lines[:, None, None], 0, 255).astype(np.uint8)


# check -> the planted file, from a picture
FAULTS = {
    "A1": lambda image: encode(image)[:400],
    "A2": lambda image: b"",
    "A4": lambda image: encode(cv2.resize(image, (64, 48))),
    "A5": lambda image: encode(cv2.resize(image, (640, 96))),
    "A6": lambda image: encode((image // 24).astype(np.uint8)),
    "A7": lambda image: encode(cv2.GaussianBlur(image, (0, 0), 8)),
    "A8": lambda image: encode(np.full_like(image, 128)),
    "A9": lambda image: encode(image[..., :1].repeat(3, 2)),
    "A13": lambda image: encode(_banded(cv2.resize(image, (384, 288)))),
    "A14": _turned,
    "A15": lambda image: encode(image, "jpeg", quality=20),
    "A16": lambda image: encode(np.where(np.arange(96)[:, None, None] < 70, 0, image).astype(np.uint8)),
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


def planted(n: int, seed: int = 0) -> tuple[list[dict], dict[str, set[str]]]:
    "n clean frames of 10 drives, and faults; the rows, and which sources each check must name."
    rows, wanted = [], {check: set() for check in FAULTS}
    for k in range(n):
        drive = k % 10
        data = encode(scene(seed + k), "jpeg", quality=95)
        known = {
            "drive": f"d{drive}",
            "sensor": "front",
            "split": "test" if drive == 0 else "train",
        }
        rows.append(sample(f"{drive}/{k:06}.jpg", data, **known))
    for i, (check, make) in enumerate(FAULTS.items()):
        for j in range(max(1, n // 1000)):
            source = f"{i % 9 + 1}/f{check}-{j}.jpg"
            data = make(scene(seed + 10_000_000 + 100 * i + j))
            known = {"drive": f"d{i % 9 + 1}", "sensor": "front", "split": "train"}
            rows.append(sample(source, data, **known))
            wanted[check].add(f"cam/{source}")
    return rows, wanted | _copies(rows, seed)


def _copies(rows: list[dict], seed: int) -> dict[str, set[str]]:
    "Copies and a frozen frame; sources are spelt so that order by name is order in time."
    base = scene(seed)  # of that frame, in test
    exact = encode(base, "jpeg", quality=95)
    near = encode(cv2.resize(cv2.resize(base, (96, 72)), SIZE[::-1]), "jpeg", quality=90)
    mirror = encode(scene(seed + 1)[:, ::-1].copy(), "jpeg", quality=95)
    frozen = encode(scene(seed + 20_000_000), "jpeg", quality=95)
    known = {"sensor": "front", "split": "train"}
    rows += [
        sample("1/exact.jpg", exact, drive="d1", **known),
        sample("2/near.jpg", near, drive="d2", **known),
        sample("0/mirror.jpg", mirror, drive="d0", sensor="front", split="test"),
        sample("9/z1.jpg", frozen, drive="d9", **known),
        sample("9/z2.jpg", frozen, drive="d9", **known),
    ]
    return {"B3": {"cam/1/exact.jpg", "cam/2/near.jpg"}, "B8": {"cam/0/mirror.jpg"},
            "A12": {"cam/9/z2.jpg"}}  # fmt: skip

"""Decode beside plain OpenCV and Pillow, and render: prints milliseconds and ratios.

Run: python benchmarks/images.py. One thread; every figure is the best of several rounds of CPU
time, since what else the machine does is not what is measured.
"""

import io
import time
from functools import partial

import cv2
import numpy as np
from PIL import Image

from mlops_nb.images.camera import crop, drive
from mlops_nb.images.pixels import decode, encode, letterbox, quality
from mlops_nb.images.scenes import drives
from mlops_nb.images.weather import WEATHERS, weather_over


def best_ms(work, *, rounds: int = 7, times: int = 5) -> float:
    "CPU milliseconds of one call, in the best round."
    work()
    found = []
    for _ in range(rounds):
        start = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - start) / times)
    return 1000 * min(found)


def with_pillow(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def with_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def main() -> None:
    cv2.setNumThreads(1)
    frame = drive(3, weather="clear", light="day")[3]
    large = cv2.resize(frame.image, (1920, 1200), interpolation=cv2.INTER_CUBIC)
    print("decode                         ours ms   OpenCV   Pillow   ours / the faster")
    for name, image, format in (
        ("crop 48 x 48 PNG", crop(frame), "png"),
        ("scene 240 x 384 JPEG", frame.image, "jpeg"),
        ("camera 1200 x 1920 JPEG", large, "jpeg"),
        ("camera 1200 x 1920 PNG", large, "png"),
    ):
        data = encode(image, format)
        ways = (decode, with_opencv, with_pillow)
        ours, opencv, pillow = (best_ms(partial(way, data)) for way in ways)
        ratio = ours / min(opencv, pillow)
        print(f"{name:28} {ours:9.3f} {opencv:8.3f} {pillow:8.3f} {ratio:10.2f} x")
    print("\nother work                     ms")
    print(f"letterbox to 640 x 640       {best_ms(lambda: letterbox(large, (640, 640))):9.3f}")
    print(f"quality of 240 x 384         {best_ms(lambda: quality(frame.image)):9.3f}")
    for weather in WEATHERS[1:]:
        ms = best_ms(lambda weather=weather: weather_over(frame.image, weather, seed=1))
        print(f"{weather + ' over 240 x 384':28} {ms:9.3f}")
    list(drives(0, 12))  # tiles and sprites are made once per process
    print("\nrender 240 x 384               ms/frame, whole drives of 8 frames")
    for weather in (None, *WEATHERS):
        found = []
        for seed in range(1, 4):
            start = time.process_time()
            count = sum(len(frames) for frames in drives(seed, 5, weather=weather))
            found.append(1000 * (time.process_time() - start) / count)
        print(f"{weather or 'as drawn':28} {min(found):9.2f}")


if __name__ == "__main__":
    main()

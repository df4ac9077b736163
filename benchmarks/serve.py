"""Is the served model the same as the session in the notebook, and what does the way there cost?

    python benchmarks/serve.py [--images FOLDER] [--n 200]

Asks one bundle the same images four ways in one run: onnxruntime in this process, tritonclient
with JSON and with binary tensors, and the image endpoint. Prints agreement, latency and ratios.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import psutil
import torch
import tritonclient.http as triton
from torch import nn

from mlops_nb.images.pixels import decode, encode
from mlops_nb.model import export, predict, preprocess
from mlops_nb.serve import classify, deploy, prediction_log, stop
from mlops_nb.workspace import open_workspace


def pictures(folder: Path | None, n: int) -> list[bytes]:
    "Encoded images of different sizes: from a folder, else seeded noise over a random brightness."
    if folder:
        kinds = {".png", ".jpg", ".jpeg", ".ppm"}
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
        if not paths:
            raise SystemExit(
                f"{folder} holds no images. Pass a folder with PNG, JPEG or PPM files."
            )
        return [paths[k].read_bytes() for k in np.linspace(0, len(paths) - 1, n).astype(int)]
    draw = np.random.default_rng(0)
    made = []
    for _ in range(n):
        height, width = draw.integers(15, 250, 2)
        floor = draw.integers(0, 180)
        pixels = floor + draw.integers(0, 76, (height // 8 + 1, width // 8 + 1, 3))
        made.append(encode(np.kron(pixels, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)))
    return made


def network(images: list[np.ndarray], classes: int = 43) -> nn.Module:
    "The size of network a sign classifier has; untrained, but it tells these images apart."
    torch.manual_seed(0)
    layers = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        conv = nn.Conv2d(before, after, 3, padding=1)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    head = nn.Linear(128, classes)
    nn.init.normal_(head.weight, std=0.5)
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    looks = {"size": (48, 48), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    seen = torch.cat([preprocess(torch.from_numpy(image[None]), **looks) for image in images])
    with torch.no_grad():
        for _ in range(30):
            body(seen)  # batch normalisation learns what these images are like
        features = body.eval()(seen)
        head.weight /= features.std(0)
        head.bias.copy_(-(features.mean(0) @ head.weight.T))
    return nn.Sequential(body, head)


def ways(url: str, token: str, deployment):
    "Name -> function from (encoded image, pixels) to the scores."
    headers = {"authorization": f"Bearer {token}"}
    client = triton.InferenceServerClient(urlsplit(url).netloc)

    def infer(pixels, binary):
        tensor = triton.InferInput("images", [1, *pixels.shape], "UINT8")
        tensor.set_data_from_numpy(pixels[None], binary_data=binary)
        outputs = [triton.InferRequestedOutput("scores", binary_data=binary)]
        return client.infer("staging", [tensor], outputs=outputs, headers=headers).as_numpy(
            "scores"
        )[0]

    return {
        "tritonclient, JSON": lambda data, pixels: infer(pixels, False),
        "tritonclient, binary": lambda data, pixels: infer(pixels, True),
        "image endpoint": lambda data, pixels: np.float32(
            list(classify(deployment, data).scores.values())
        ),
    }


def timed(ask, pairs) -> tuple[np.ndarray, np.ndarray]:  # (N, K) scores, (N,) milliseconds
    scores, spent = [], []
    for pair in pairs:
        started = time.perf_counter()
        scores.append(ask(*pair))
        spent.append((time.perf_counter() - started) * 1e3)
    return np.stack(scores), np.array(spent)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--images", type=Path, help="folder of images; default: made here")
    arguments.add_argument("--n", type=int, default=200)
    given = arguments.parse_args()
    files = pictures(given.images, given.n)
    pairs = [(data, decode(data)) for data in files]
    with tempfile.TemporaryDirectory() as home:
        ws = open_workspace(Path(home) / "workspace")
        looks = {"mean": (0.5,) * 3, "std": (0.25,) * 3}
        untrained = network([pixels for _, pixels in pairs])
        started, spent = time.perf_counter(), time.process_time()
        bundle = export(
            untrained,
            Path(home) / "bundle",
            classes=[f"class_{k:02}" for k in range(43)],
            **looks,
            example_images=[pixels for _, pixels in pairs[:32]],
            data="data:" + "0" * 64,
            run="run:benchmark",
        )
        cost = f"{time.perf_counter() - started:.1f} s ({time.process_time() - spent:.1f} s of CPU)"
        gap = bundle.parity.max_abs_score_diff
        print(f"export: {cost}, torch and onnxruntime differ by {gap:.1e}")
        started = time.perf_counter()
        running = deploy(ws, bundle)
        used = psutil.Process(running.pid).cpu_times()
        cpu = f"{used.user + used.system:.2f} s of CPU"
        print(f"server: answers after {time.perf_counter() - started:.2f} s ({cpu})\n")
        try:
            compare(bundle, running, pairs)
            print(f"\nprediction log: {len(prediction_log(ws, 'staging'))} lines")
        finally:
            started = time.perf_counter()
            stop(ws, "staging")
            print(f"stopped and gone after {time.perf_counter() - started:.2f} s")


def compare(bundle, running, pairs) -> None:
    "Ask every way, print the table."

    def session(data, pixels):
        return predict(bundle, [pixels], threads=1).scores[0]

    expected, bare = timed(session, pairs)
    expected, bare = timed(session, pairs)  # the second time, warm
    labels = expected.argmax(1)
    print(f"{len(pairs)} images, {len(set(labels))} classes seen")
    print(f"{'':22}{'labels':>10}{'max gap':>10}{'p50 ms':>8}{'p95':>8}{'p99':>8}{'x session':>11}")

    def row(name, scores, spent):
        same = int((scores.argmax(1) == labels).sum())
        p50, p95, p99 = np.percentile(spent, (50, 95, 99))
        ratio = p50 / np.percentile(bare, 50)
        gap = np.abs(scores - expected).max()
        counted = f"{same}/{len(labels)}"
        print(f"{name:22}{counted:>10}{gap:10.1e}{p50:8.2f}{p95:8.2f}{p99:8.2f}{ratio:11.2f}")
        return same == len(labels) and gap <= 1e-5

    row("session, this process", expected, bare)
    asked = ways(running.url, running.token, running)
    good = []
    for name, ask in asked.items():
        timed(ask, pairs[:20])
        good.append(row(name, *timed(ask, pairs)))
    rates, server = {}, psutil.Process(running.pid)
    before = sum(server.cpu_times()[:2])
    for threads in (1, 4):
        with ThreadPoolExecutor(threads) as pool:
            started = time.perf_counter()
            list(pool.map(lambda pair: asked["image endpoint"](*pair), pairs))
            rates[threads] = len(pairs) / (time.perf_counter() - started)
    cost = (sum(server.cpu_times()[:2]) - before) / (2 * len(pairs)) * 1e3
    print(f"image endpoint: {cost:.2f} ms of the server's CPU per image")
    base = 1e3 / bare.mean()
    for threads, rate in rates.items():
        print(
            f"image endpoint, {threads} caller(s): {rate:.0f} images/s, {rate / base:.2f} x session"
        )
    print("SAME" if all(good) else "DIFFERENT: a served answer is not the session's")
    if not all(good):
        raise SystemExit(1)


if __name__ == "__main__":
    main()

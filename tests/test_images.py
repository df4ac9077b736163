"Pixels and boxes: every bad file gives a reason, every geometry has its inverse."

import io
import warnings

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mlops_nb.images
from mlops_nb.images.boxes import BOX_FORMATS, area, clip_boxes, convert, iou
from mlops_nb.images.pixels import (
    contact_sheet,
    decode,
    draw_boxes,
    encode,
    image_id,
    letterbox,
    quality,
    resize,
)


def picture(seed=0, size=(40, 60)):
    "A smooth picture, so that JPEG keeps it."
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(0, 256, (5, 6, 3), np.uint8), size[::-1])


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- decoding


def test_what_was_encoded_is_decoded():
    image = picture()
    assert (decode(encode(image)) == image).all()
    assert np.abs(decode(encode(image, "jpeg", 95)).astype(int) - image).mean() < 3
    assert image_id(b"abc").startswith("img:ba7816bf")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    upright = Image.new("RGB", (48, 32), "white")
    upright.paste((220, 20, 20), (0, 0, 24, 16))  # red at the top left
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how the camera stored it
    stored = (
        upright.transpose(list(Image.Transpose)[back[orientation]]) if orientation > 1 else upright
    )
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(saved(stored, "JPEG", exif=exif, quality=95))
    assert image.shape == (32, 48, 3)
    assert image[4, 4, 1] < 60 and image[28, 44, 1] > 200 and image[4, 44, 1] > 200


def test_every_kind_of_picture_becomes_rgb():
    deep = np.full((4, 5), 0x80FF, np.uint16)
    assert (decode(saved(Image.fromarray(deep), "PNG")) == 0x80).all()
    assert (decode(saved(Image.fromarray(deep), "TIFF")) == 0x80).all()
    glass = Image.new("RGBA", (5, 4), (200, 100, 50, 0))
    assert (decode(saved(glass, "PNG")) == 0).all()
    half = Image.new("LA", (5, 4), (200, 128))
    assert (np.abs(decode(saved(half, "PNG")).astype(int) - 100) <= 1).all()
    palette = Image.new("RGB", (5, 4), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert (decode(saved(palette, "PNG")) == (10, 200, 30)).all()
    cmyk = decode(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert cmyk[4, 4, 0] > 240 and cmyk[4, 4, 1] < 15
    black = decode(saved(Image.new("1", (5, 4), 1), "PNG"))
    assert (black == 255).all() and black.shape == (4, 5, 3)
    first = [Image.new("RGB", (5, 4), c) for c in ("red", "blue")]
    moving = saved(first[0], "GIF", save_all=True, append_images=first[1:])
    assert (decode(moving)[:, :, 0] > 200).all()


def test_numbers_that_are_no_8_or_16_bit_samples_are_refused():
    depth = Image.fromarray(np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5))
    with pytest.raises(ValueError, match="0 to 65535"):
        decode(saved(depth, "TIFF"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "PPM", "WEBP"])
def test_a_truncated_file_is_refused_wherever_it_ends(format):
    whole = saved(Image.fromarray(picture(1, (120, 160))), format)
    decode(whole)
    for share in (0.0, 0.02, 0.3, 0.6, 0.9, 0.98):
        with pytest.raises(ValueError, match=r"empty|damaged|not an image"):
            decode(whole[: int(len(whole) * share)])


def test_a_bomb_is_refused_from_its_header():
    small = saved(Image.new("1", (4000, 3000)), "PNG")
    assert decode(small).shape == (3000, 4000, 3)
    with pytest.raises(ValueError, match="4000 x 3000 pixels, more than the limit of 1,000,000"):
        decode(small, max_pixels=1_000_000)
    header = b"P6 60000 60000 255\n"
    with pytest.raises(ValueError, match="limit of 100,000,000"):
        decode(header + b"\0" * 64)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "GIF", "BMP"]), st.integers(0, 200))
def test_noise_gives_a_value_error_or_an_image(noise, format, where):
    data = bytearray(saved(Image.fromarray(picture(2, (8, 8))), format))
    data[where : where + len(noise)] = noise
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about damage it can live with
        try:
            image = decode(bytes(data), max_pixels=10_000_000)
        except ValueError as err:
            assert len(str(err)) > 40
        else:
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns about damage it can live with
def test_the_zoo_of_malformed_files(real_data):
    good, refused = [], []
    for path in sorted((real_data("malformed") / "images").iterdir()):
        try:
            image = decode(path.read_bytes())
        except ValueError as err:
            assert str(err).count(". ") >= 1, path.name
            refused.append(path.name)
        else:
            assert image.dtype == np.uint8 and image.shape[2] == 3
            good.append(path.name)
    assert len(good) + len(refused) == 50
    assert {"truncated_jpeg.jpg", "truncated_image.png", "decompression_bomb.gif"} <= set(refused)
    assert {"hopper_orientation_6.jpg", "hopper_bad_exif.jpg", "pil_sample_cmyk.jpg"} <= set(good)


def test_real_photographs(real_data):
    path = next((real_data("gtsrb") / "Final_Test_32x32" / "Images").glob("*.ppm"))
    assert decode(path.read_bytes()).shape == (32, 32, 3)


# --- sizes and letterbox


def test_resize_keeps_the_mean_and_refuses_nonsense():
    image = picture(3, (200, 300))
    assert np.abs(resize(image, (20, 30)).mean() - image.mean()) < 1.5
    assert resize(image, (400, 90)).shape == (400, 90, 3)
    with pytest.raises(ValueError, match="at least 1 pixel"):
        resize(image, (0, 30))
    for wrong in (image[:, :, 0], image.astype(float), image[:0], image[:, :, [0, 1, 2, 2]]):
        with pytest.raises(ValueError, match=r"\(H, W, 3\), uint8"):
            resize(wrong, (10, 10))


@settings(max_examples=60, deadline=None)
@given(*[st.integers(1, 700)] * 2, *[st.integers(1, 400)] * 2, st.integers(0, 10**6))
def test_the_letterbox_and_its_inverse(rows, columns, height, width, seed):
    image = np.zeros((rows, columns, 3), np.uint8)
    frame, way = letterbox(image, (height, width))
    assert frame.shape == (height, width, 3)
    share = np.random.default_rng(seed).uniform(0, 1, (5, 4))
    boxes = share * np.array([columns, rows, columns, rows])
    inside = way.boxes_in(boxes)
    assert (inside >= 0).all() and (inside <= np.array([width, height] * 2) + 1e-3).all()
    assert np.allclose(way.boxes_out(inside), boxes, atol=1e-2 + 1e-4 * max(rows, columns))
    assert way.boxes_out(np.zeros((0, 4))).shape == (0, 4)


def test_the_letterbox_puts_boxes_where_the_pixels_are():
    image = np.zeros((60, 100, 3), np.uint8)
    image[20:40, 30:50] = 255
    frame, way = letterbox(image, (200, 200))
    white = np.argwhere(frame[:, :, 0] > 200)
    x0, y0, x1, y1 = way.boxes_in([[30, 20, 50, 40]])[0]
    top, left = white.min(0)
    bottom, right = white.max(0) + 1
    assert np.allclose([x0, y0, x1, y1], [left, top, right, bottom], atol=1.5)


# --- quality


def test_quality_knows_what_it_measures():
    grey = np.full((64, 64, 3), 128, np.uint8)
    flat = quality(grey)
    assert flat.brightness == pytest.approx(128 / 255, abs=0.01)
    assert (flat.contrast, flat.sharpness, flat.entropy_bits, flat.colourfulness) == (0, 0, 0, 0)
    assert quality(grey // 20).dark_frac == 1 and quality(grey * 0 + 255).saturated_frac == 1
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert quality(noise).sharpness > 10 * quality(cv2.GaussianBlur(noise, None, 3)).sharpness
    assert 6 < quality(noise).entropy_bits <= 8
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[:32] = 255
    assert quality(halves).contrast == pytest.approx(0.5, abs=0.01)
    assert quality(halves).entropy_bits == pytest.approx(1)


def test_colourfulness_is_that_of_the_paper():
    image = picture(5).astype(float)
    red, green, blue = image[:, :, 0], image[:, :, 1], image[:, :, 2]
    rg, yb = red - green, (red + green) / 2 - blue
    wanted = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert quality(image.astype(np.uint8)).colourfulness == pytest.approx(wanted, rel=1e-6)


# --- boxes


def slow_iou(a, b):
    w = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    h = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h
    return w * h / union if union > 0 else 0.0


def random_boxes(seed, n=20):
    corners = np.random.default_rng(seed).uniform(0, 100, (n, 2, 2))
    return np.hstack([corners.min(1), corners.max(1)]).astype(np.float32)


def test_iou_is_the_slow_one():
    a, b = random_boxes(1), random_boxes(2, 30)
    slow = [[slow_iou(x, y) for y in b.tolist()] for x in a.tolist()]
    assert np.allclose(iou(a, b), slow, atol=1e-5)
    assert np.allclose(np.diag(iou(a, a)), 1) and np.allclose(iou(a, b), iou(b, a).T)


def test_iou_of_nothing_and_of_nonsense():
    a = random_boxes(1, 3)
    assert iou([], a).shape == (0, 3) and iou(a, np.zeros((0, 4))).shape == (3, 0)
    broken = [[5, 5, 2, 9], [0, 0, np.nan, 4], [3, 3, 3, 8], [9, 9, 1, 1]]
    assert (area(broken) == 0).all() and (iou(broken, broken) == 0).all()
    assert (iou(broken, [[0, 0, 10, 10]]) == 0).all()
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        area([1, 2, 3, 4])


@pytest.mark.parametrize("source", BOX_FORMATS)
@pytest.mark.parametrize("target", BOX_FORMATS)
def test_converting_there_and_back(source, target):
    boxes = convert(random_boxes(4), "xyxy", source, size=(100, 120))
    there = convert(boxes, source, target, size=(100, 120))
    assert np.allclose(convert(there, target, source, size=(100, 120)), boxes, atol=1e-4)


def test_formats_by_hand():
    assert convert([[10, 20, 30, 40]]).tolist() == [[10, 20, 40, 60]]
    assert convert([[1, 1, 1, 1]], "voc").tolist() == [[0, 0, 1, 1]]
    assert np.allclose(convert([[0.5, 0.5, 1, 1]], "yolo", size=(10, 20)), [[0, 0, 20, 10]])
    with pytest.raises(ValueError, match="Known: xyxy"):
        convert([[0, 0, 1, 1]], "ltrb")
    with pytest.raises(ValueError, match="size="):
        convert([[0, 0, 1, 1]], "yolo")
    assert clip_boxes([[-5, -5, 300, 5]], (10, 20)).tolist() == [[0, 0, 20, 5]]


# --- pictures of pictures


def test_sheets_and_drawings():
    images = [picture(k, (20 + k, 40)) for k in range(5)]
    sheet = contact_sheet(images, list("abcde"), columns=3, cell=(30, 50))
    assert sheet.shape == (2 * (30 + 16 + 4) + 4, 3 * 54 + 4, 3) and sheet.dtype == np.uint8
    assert contact_sheet([]).shape[2] == 3
    before = images[0].copy()
    drawn = draw_boxes(images[0], [[2, 2, 30, 15]], ["stop"])
    assert (images[0] == before).all() and (drawn != before).any()
    with pytest.raises(ValueError, match="2 boxes and 1 labels"):
        draw_boxes(images[0], [[2, 2, 30, 15]] * 2, ["stop"])


def test_the_room_shows_its_names_and_imports_nothing_heavy():
    import subprocess
    import sys

    for name in mlops_nb.images.__all__:
        assert getattr(mlops_nb.images, name) is not None
    check = "import sys, mlops_nb.images; print([m for m in ('cv2', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

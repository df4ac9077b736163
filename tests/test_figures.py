"Figures: the right size, no shared state, everything drawn that was asked for, nothing drawn wrong."

import io
import subprocess
import sys
import threading
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from mlops_nb import figures
from mlops_nb.stats import wilson


def slices(n=6):
    return [
        SimpleNamespace(name="label", value=f"c{i}", accuracy=wilson(80 + i % 9, 100))
        for i in range(n)
    ]


def shift(**more):
    x = np.arange(1, 11) * 20
    return figures.shift_figure(x, np.exp(x / 50), threshold=20, **more)


FIGURES = {
    "confusion": lambda: figures.confusion_figure(np.eye(3, dtype=int) * 5, ["a", "b", "c"]),
    "confusion of 43": lambda: figures.confusion_figure(np.eye(43, dtype=int), [f"sign_{i}" for i in range(43)]),
    "confusion of 1": lambda: figures.confusion_figure([[3]], ["a"]),
    "slices": lambda: figures.slices_figure(slices(), overall=0.9, limit=0.85),
    "slices of 50": lambda: figures.slices_figure(slices(50)),
    "shift": lambda: shift(changed_at=100, paged_at=160),
    "shift per class": lambda: figures.shift_figure([1, 2], {f"c{i}": [1, i + 1] for i in range(43)}, threshold=[9, 8]),
    "shift, one look": lambda: figures.shift_figure([20], [0.4], threshold=1, log=False),
    "timeline": lambda: figures.timeline_figure([("train", 61.0), ("gate", 0.02, "cached")]),
    "timeline of nothing": lambda: figures.timeline_figure([("tag", 0.0)]),
    "samples": lambda: figures.samples_figure([np.zeros((9, 5 + i, 3), np.uint8) for i in range(11)]),
    "training": lambda: figures.training_figure({"train": [2, 1]}, {"train": [0.1, 0.5], "val": [0.1]}),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_800_pixels_wide_and_the_same_each_time(name):
    one, two = FIGURES[name](), FIGURES[name]()
    drawn = figures.png(one)
    image = Image.open(io.BytesIO(drawn))
    assert image.width == 800 and 100 < image.height < 1600
    assert np.asarray(image.convert("L")).min() < 200  # something is drawn
    text = figures.svg(two)  # laid out for SVG first, and yet the same picture
    assert figures.svg(one) == text and figures.png(two) == drawn
    assert text.startswith("<svg") and "matplotlib.org" not in text


@pytest.mark.parametrize(
    "name", ["confusion of 43", "slices of 50", "confusion", "slices", "timeline"]
)
def test_no_text_leaves_the_figure_or_covers_its_neighbour(name):
    figure = FIGURES[name]()
    figures.png(figure)  # lays it out
    drawing = FigureCanvasAgg(figure).get_renderer()
    for axis in (figure.axes[0].yaxis, figure.axes[0].xaxis):
        low, high = sorted(axis.get_view_interval())
        seen = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
        boxes = [t.label1.get_window_extent(drawing) for t in seen if t.label1.get_text()]
        assert boxes
        assert all(figure.bbox.x0 - 1 <= b.x0 and b.x1 <= figure.bbox.x1 + 1 for b in boxes)
        assert not any(a.overlaps(b) for a, b in pairwise(boxes))


def said(figure):
    return "\n".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


def test_confusion_names_the_worst_pair_and_writes_the_counts():
    counts = np.diag([90, 80]) + np.array([[0, 7], [0, 0]])
    text = said(figures.confusion_figure(counts, ["stop", "yield"]))
    assert "7 × stop read as yield" in text and "90" in text
    assert "Nothing is confused." in said(figures.confusion_figure(np.eye(2), ["a", "b"]))


def test_slices_put_the_worst_first_and_show_their_evidence():
    figure = figures.slices_figure(slices(3)[::-1])
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert labels == ["label: c0", "label: c1", "label: c2"]
    assert "100 in 100 clips" in said(figure)
    low, high = figure.axes[0].get_ylim()
    assert low > high  # the first is on top


@pytest.mark.parametrize(("limit", "colour"), [(0.99, "RED"), (0.82, "ORANGE"), (0.5, "BLUE")])
def test_the_colour_of_a_slice_is_the_verdict_on_it(limit, colour):
    figure = figures.slices_figure(slices(1), limit=limit)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [d.get_color() for d in dots] == [getattr(figures, colour)]


def test_a_difference_is_drawn_as_a_slice_too():
    part = SimpleNamespace(name="weather", value="snow", difference=wilson(3, 10))
    assert "weather: snow" in said(figures.slices_figure([part], label="difference"))


def test_the_shift_marks_the_change_and_the_page_where_they_were():
    figure = shift(changed_at=100, paged_at=160)
    assert "world changed at 100" in said(figure) and "paged at 160" in said(figure)
    at = [line.get_xdata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert at == [100, 160]
    assert "paged" not in said(shift())


def test_stages_follow_each_other():
    figure = figures.timeline_figure([("a", 2.0), ("b", 185.0), ("c", 1.0, "failed")])
    bars = figure.axes[0].patches
    assert [b.get_x() for b in bars] == [0, 2, 187] and bars[1].get_width() == 185
    assert "3 min 05 s" in said(figure) and "1.0 s (failed)" in said(figure)


def test_drawing_needs_no_pyplot_and_changes_no_global_state():
    code = (
        "import sys, matplotlib\n"
        "import tests.test_figures as t\n"
        "state = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != 'backend'}\n"
        "before = state()\n"
        "from mlops_nb import figures\n"
        "names = ['confusion', 'slices', 'shift', 'timeline', 'samples', 'training']\n"
        "drawn = [t.FIGURES[name]() for name in names]\n"
        "assert all(figures.png(f) and figures.svg(f) for f in drawn)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert state() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_importing_the_room_does_not_import_matplotlib():
    code = "import sys, mlops_nb.figures; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_several_threads_may_draw_at_once():
    expected, found = figures.png(FIGURES["slices"]()), []
    threads = [
        threading.Thread(target=lambda: found.append(figures.png(FIGURES["slices"]())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [expected] * 4


def test_the_colours_stay_apart_in_grey():
    "Blue, orange and red carry the verdict; a printer without colour must keep two of three apart."
    weights = np.array([0.299, 0.587, 0.114])
    grey = [
        weights @ [int(c[i : i + 2], 16) for i in (1, 3, 5)]
        for c in (figures.BLUE, figures.RED, figures.ORANGE)
    ]
    assert abs(grey[0] - grey[2]) > 40 and abs(grey[1] - grey[2]) > 40


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: figures.confusion_figure(np.eye(2), ["a"]), "K x K"),
        (lambda: figures.confusion_figure(np.zeros((0, 0)), []), "K x K"),
        (lambda: figures.slices_figure([]), "no slices"),
        (lambda: figures.shift_figure([], [], threshold=1), "at least one look"),
        (lambda: figures.shift_figure([1, 2], {"a": [1]}, threshold=1), "other length: a"),
        (lambda: figures.timeline_figure([]), "at least one"),
        (lambda: figures.timeline_figure([("a", 1, "odd")]), "odd"),
        (lambda: figures.timeline_figure([("a", -1)]), "seconds >= 0"),
        (lambda: figures.samples_figure([]), "at least one image"),
        (
            lambda: figures.samples_figure([np.zeros((2, 2, 3))], ["a", "b"]),
            "one caption per image",
        ),
        (lambda: figures.training_figure({}, {}), "at least one of each"),
        (lambda: figures.training_figure({"a": []}, {"a": [1]}), "empty one"),
    ],
)
def test_nonsense_is_refused_with_a_remedy(call, says):
    with pytest.raises(ValueError, match=says):
        call()

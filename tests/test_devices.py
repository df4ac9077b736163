"Which device a step computes on: the one a person chose, out of those it may use."

import os
import sys
from types import SimpleNamespace

import pytest

from mlops_nb.jobs import load_job, start, watch_job
from mlops_nb.pipeline import Step, devices
from mlops_nb.pipeline.local import Machine
from mlops_nb.workspace import PipelineError, open_workspace

CARDS = {"GPU-5c1e": "H200", "GPU-9a07": "L4", "GPU-9b00": "L4"}


@pytest.fixture
def cards(monkeypatch):
    "A machine with three graphics cards, as NVIDIA's library tells it."
    fake = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(CARDS),
        nvmlDeviceGetHandleByIndex=list(CARDS).__getitem__,
        nvmlDeviceGetUUID=str,
        nvmlDeviceGetName=CARDS.__getitem__,
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices.nvml.cache_clear()
    yield CARDS
    devices.nvml.cache_clear()


@pytest.mark.parametrize(
    "said, left",
    [
        (None, [*CARDS]),
        ("", []),
        ("-1", []),
        ("2,0", ["GPU-9b00", "GPU-5c1e"]),
        (" GPU-9a , 0", ["GPU-9a07", "GPU-5c1e"]),
        ("1,7,0", ["GPU-9a07"]),  # nothing counts after what is unknown, as in CUDA
        ("0,0", ["GPU-5c1e"]),
    ],
)
def test_only_what_is_visible_may_be_used(cards, monkeypatch, said, left):
    if said is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", said)
    assert list(devices.visible_gpus()) == left
    assert [one["id"] for one in devices.devices()] == [
        "cpu",
        *(f"cuda:{n}" for n in range(len(left))),
    ]


def test_a_step_gets_the_card_that_was_chosen(cards, monkeypatch):
    "Two of three are ours; the second of these is chosen."
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    monkeypatch.setattr(os, "environ", os.environ | devices.held_to("cuda:1"))
    machine, step = Machine(), Step("train", "train.ipynb", gpus=1)
    held = machine.take(step)
    assert held["CUDA_VISIBLE_DEVICES"] == "GPU-9b00" and not machine.room(step)
    machine.free(step, held)
    assert machine.room(step)


def test_the_processor_leaves_no_card(cards, monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ | devices.held_to("cpu"))
    assert not devices.visible_gpus()
    with pytest.raises(PipelineError, match="more GPUs than the 0 there are"):
        Machine().check([Step("train", "train.ipynb", gpus=1)])


def test_a_device_that_is_not_there_is_said_with_those_that_are(cards):
    with pytest.raises(PipelineError, match="'cuda:3'.*Choose from cpu, cuda:0, cuda:1, cuda:2"):
        devices.held_to("cuda:3")


def test_a_job_for_a_device_that_is_not_there_fails_with_the_remedy(tmp_path):
    ws = open_workspace(tmp_path)
    job = start(ws, "run", {"notebook": "train", "device": "cuda:7"}, by="ann")
    for _ in watch_job(ws, job.id):
        pass
    ended = load_job(ws, job.id)
    assert ended.status == "failed" and "Choose from cpu" in ended.error

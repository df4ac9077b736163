"Three functions by Kubeflow's local SubprocessRunner, once for each line of input; prints the seconds of each."

import sys
import time

from kfp import dsl, local


# kfp is installed: without the flag the runner would ask pip at each step
@dsl.component(base_image="python:3.11", install_kfp_package=False)
def step(before: int) -> int:
    return before + 1


@dsl.pipeline
def chain() -> int:
    first = step(before=0)
    second = step(before=first.output)
    return step(before=second.output).output


local.init(local.SubprocessRunner(use_venv=False), pipeline_root=f"{sys.argv[1]}/kfp")
for _ in sys.stdin:
    began = time.perf_counter()
    assert chain().output == 3
    print("took", time.perf_counter() - began, flush=True)

"Steps are notebooks: typed parameters, plan, cache, run, resume."

from .execution import NotebookFailed
from .notebook import OUTPUT, Parameter, check_parameters, emit, outputs, parameters
from .plan import Output, Run, Step, StepFailed, StepRun, check_plan, plan_faults, run
from .templates import from_text, template

__all__ = [
    "OUTPUT",
    "NotebookFailed",
    "Output",
    "Parameter",
    "Run",
    "Step",
    "StepFailed",
    "StepRun",
    "check_parameters",
    "check_plan",
    "emit",
    "from_text",
    "outputs",
    "parameters",
    "plan_faults",
    "run",
    "template",
]

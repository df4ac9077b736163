"Steps are notebooks: typed parameters, plan, cache, run, resume."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "notebook": "OUTPUT Parameter check_parameters emit outputs parameters".split(),
        "execution": "Failure NotebookFailed NotebookStopped Stop execute".split(),
        "plan": "Output Run Step StepFailed StepRun check_plan plan_faults run".split(),
        "templates": "from_text template".split(),
    },
)

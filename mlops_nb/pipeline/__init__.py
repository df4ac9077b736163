"Steps are notebooks: typed parameters, plan, cache, run, resume."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "kinds": "BlobId BundleId DatasetRef ModelRef".split(),
        "contracts": "AtLeast AtMost Images NoNaN NotEmpty".split(),
        "notebook": "OUTPUT Parameter check_parameters emit outputs parameters".split(),
        "promises": "check_outputs".split(),
        "schemas": "schema".split(),
        "execution": "Failure NotebookFailed NotebookStopped Stop execute".split(),
        "steps": "Output Step check_plan plan_faults".split(),
        "keys": "because".split(),
        "runs": "Run StepFailed StepRun events find_run load_plan load_run runs".split(),
        "planning": "Planned plan".split(),
        "running": "run".split(),
        "again": "cancel fork resume".split(),
        "watching": "Following Progress StepProgress progress_of watch".split(),
        "scheduling": "Schedule next_times schedule".split(),
        "templates": "from_text steps_in template templates".split(),
        "compiling": "to_kubeflow".split(),
        "workflows": "to_github_actions".split(),
    },
)

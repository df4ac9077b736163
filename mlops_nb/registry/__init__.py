"Runs, model versions and aliases in MLflow; an alias moves only for an approved proposal."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "tracking": "track tracking_uri".split(),
        "versions": "ModelVersion fetch_bundle models register resolve_model".split(),
        "promoting": "ALIASES promote rollback".split(),
        "mirroring": "Mirrored keep_telling mirror".split(),
        "differences": "RunDifference StepDifference diff_runs".split(),
    },
)

"Panels and pictures for notebooks: each is a thin door to one verb, with `run()` behind its button."

from mlops_nb.widgets.browsing import browse
from mlops_nb.widgets.doors import (
    deploy_panel,
    judge_panel,
    register_panel,
    train_panel,
    validate_panel,
)
from mlops_nb.widgets.drift import drift_view
from mlops_nb.widgets.lineage import lineage_view
from mlops_nb.widgets.panels import Panel
from mlops_nb.widgets.reviewing import review_panel

__all__ = [
    "Panel",
    "browse",
    "deploy_panel",
    "drift_view",
    "judge_panel",
    "lineage_view",
    "register_panel",
    "review_panel",
    "train_panel",
    "validate_panel",
]

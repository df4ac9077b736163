"Panels and pictures for notebooks: each is a thin door to one verb."

from mlops_nb.widgets.doors import deploy_panel, register_panel, train_panel, validate_panel
from mlops_nb.widgets.panels import Panel

__all__ = ["Panel", "deploy_panel", "register_panel", "train_panel", "validate_panel"]

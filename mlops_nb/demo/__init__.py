"The whole walk, from a folder of camera images to a watched model in staging, in one call."

from mlops_nb.demo.acts import Stage
from mlops_nb.demo.walk import Walk, demo

__all__ = ["Stage", "Walk", "demo"]

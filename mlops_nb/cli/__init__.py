"The terminal's door: each command parses, calls one verb, prints."

from mlops_nb.cli import (  # noqa: F401  (their commands join the group)
    branching,
    browsing,
    data,
    evidence,
    models,
    pipelines,
    runs,
    selection,
    staging,
    tracking,
)
from mlops_nb.cli.door import cli, main

__all__ = ["cli", "main"]

"""From a folder of camera images to a watched model in staging, in Jupyter notebooks.

The public names of every room, found when first used: importing the package starts nothing.
Some rooms are named like their main verb (`evaluate`, `monitor`); seen from here the name is the
verb, and `from mlops_nb.evaluate import gate` still reaches into the room.
"""

import sys
from importlib import import_module
from types import ModuleType

__version__ = "0.1.0"

_ROOMS = {
    "workspace": (
        "MlopsError WorkspaceError LedgerError DataError PipelineError ModelError RegistryError "
        "ServeError MonitorError Workspace open_workspace put_blob get_blob"
    ),
    "ledger": (
        "Act record acts verify_ledger lineage ancestors descendants blame "
        "Proposal Approval propose approve reject"
    ),
    "data": "ingest validate split tag read resolve versions digest quarantine datasets browse",
    "pipeline": "Step Output Run run emit outputs parameters template",
    "model": "Bundle export store_bundle load_bundle predict predict_table",
    "evaluate": "Report Policy Decision Comparison evaluate compare gate",
    "registry": "ModelVersion track register promote rollback resolve_model fetch_bundle models",
    "serve": "Deployment deploy stop deployment deployments classify prediction_log",
    "monitor": "Reference WatchPolicy Watch Alert reference watch monitor page acknowledge",
    "evidence": "Section report",
    "demo": "demo",
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name in _HOME:
        return getattr(import_module(f"mlops_nb.{_HOME[name]}"), name)
    raise AttributeError(f"mlops_nb has no {name!r}. Public names: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _House(ModuleType):
    "Importing a room binds it to its package; where a verb has that name, the verb stays."

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _House

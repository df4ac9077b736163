"""From a folder of camera images to a watched model in staging, in Jupyter notebooks.

The public names of every room, found when first used: importing the package starts nothing.
"""

from importlib import import_module

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
    "data": ("ingest validate split tag read resolve versions digest quarantine datasets browse"),
    "pipeline": "Step Output Run run emit outputs parameters template",
    "model": "Bundle export store_bundle load_bundle predict predict_table",
    "evaluate": "Report Policy Decision Comparison evaluate compare gate",
    "registry": "ModelVersion track register promote rollback resolve_model fetch_bundle models",
    "serve": "Deployment deploy stop deployment deployments classify prediction_log",
    "monitor": "Reference WatchPolicy Watch Alert reference watch page acknowledge monitor",
    "evidence": "report",
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

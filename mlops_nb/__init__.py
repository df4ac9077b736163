"""From a folder of camera images to a watched model in staging, in Jupyter notebooks.

The public names of every room, found when first used: importing the package starts nothing.
Some rooms are named like their main verb (`evaluate`, `monitor`); seen from here the name is the
verb, and `from mlops_nb.evaluate import gate` still reaches into the room.
"""

import lazy_loader

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
    "data": (
        "ingest validate split tag read resolve versions digest quarantine datasets browse collect "
        "samples Shuffle scan query fork branches diff merge restore verify gc write_dataset "
        "Contract set_contract release mend"
    ),
    "pipeline": (
        "Step Output Planned Run plan run emit outputs parameters template schema "
        "DatasetRef ModelRef BundleId BlobId AtLeast AtMost NotEmpty NoNaN Images "
        "to_kubeflow to_github_actions"
    ),
    "model": "Bundle export store_bundle load_bundle predict predict_table broken_rules held_to",
    "selection": "embed similar novel uncertain cover coverage vectors_of predictions_of",
    "evaluate": "Report Policy Decision Comparison evaluate compare gate",
    "registry": "ModelVersion track register promote rollback resolve_model fetch_bundle models",
    "serve": "Deployment deploy stop deployment deployments classify prediction_log refused_log",
    "monitor": "Reference WatchPolicy Watch Alert reference watch monitor page acknowledge outside_rules",
    "evidence": "Section report Verdict reproduce",
    "demo": "demo",
    "widgets": (
        "Panel validate_panel train_panel judge_panel register_panel review_panel deploy_panel "
        "lineage_view drift_view"
    ),
}
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={room: names.split() for room, names in _ROOMS.items()}
)

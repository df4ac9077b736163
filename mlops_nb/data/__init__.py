"From a folder to a checked, versioned, split dataset, and a look at it."

import lazy_loader

# A verb and the module it lives in have different names: importing a module would hide the verb.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "items": "Item Problem".split(),
        "formats": "detect read_folder".split(),
        "store": "Overtaken Version datasets digest quarantine read resolve versions".split(),
        "branching": "Branch branches fork restore".split(),
        "differences": "Difference diff".split(),
        "merging": "Conflict MergeConflict Merged merge".split(),
        "keeping": "Cleared Fault Verification gc verify".split(),
        "ingestion": "Ingested ingest".split(),
        "scanning": "scan".split(),
        "writing": "Written write_dataset".split(),
        "splitting": "Split split".split(),
        "finding": "Finding".split(),
        "measuring": "measure".split(),
        "contracts": "Contract Sensor contract set_contract".split(),
        "checks": "CHECKS check".split(),
        "validation": "Validation findings tag validate".split(),
        "vectors": "columns_of drop_vectors query".split(),
        "review": "Returned mend release waiting".split(),
        "reporting": "validation_report".split(),
        "database": "stop_browsing".split(),
        "browsing": "Browser browse".split(),
        "collecting": "Collected collect waiting_edits".split(),
        "loading": "Samples Shuffle samples".split(),
    },
)

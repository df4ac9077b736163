"From a folder to a checked, versioned, split dataset, and a look at it."

from importlib import import_module

# A verb and the module it lives in have different names: importing a module would hide the verb.
_HOMES = {
    "items": ("Item", "Problem"),
    "formats": ("detect", "read_folder"),
    "store": ("Version", "datasets", "digest", "quarantine", "read", "resolve", "versions"),
    "ingestion": ("Ingested", "ingest"),
    "splitting": ("Split", "split"),
    "checks": ("CHECKS", "Contract", "Finding", "check"),
    "validation": ("Validation", "findings", "tag", "validate"),
    "browsing": ("Browser", "browse"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    "Lance and FiftyOne are imported when the first function that needs them is used."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))

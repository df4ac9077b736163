"A model that can leave: preprocessing and network as one ONNX graph; parity; predict."

from importlib import import_module

_HOMES = {
    "bundles": ("Bundle", "Parity", "load_bundle", "store_bundle"),
    "exporting": ("MAX_SCORE_DIFF", "export", "preprocess"),
    "prediction": ("Predictions", "predict", "predict_table"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    "A module of the room is imported when the first name of it is used."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))

"A bundle behind the Open Inference Protocol, in a process of its own; every prediction is logged."

from importlib import import_module

_HOMES = {
    "operate": ("Answer", "Deployment", "classify", "classify_many", "deploy", "deployment",
                "deployments", "stop"),
    "log": ("prediction_log",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    "The client is imported when the first name is used; the server never needs it."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))

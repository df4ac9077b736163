"Decode once and the same way everywhere; boxes; signs, weather and scenes of our own."

from importlib import import_module

_HOMES = {
    "pixels": "Letterbox Quality contact_sheet decode draw_boxes encode image_id letterbox quality "
    "resize",
    "boxes": "area clip_boxes convert iou",
    "weather": "WEATHERS weather_over",
    "scenery": "LIGHTS",
    "signs": "CLASSES",
    "camera": "Frame crop drive",
    "scenes": "Drives drives gallery write_crops write_scenes",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    "OpenCV and Pillow are imported when the first function of the room is used."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))

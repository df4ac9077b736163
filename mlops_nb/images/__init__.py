"Decode once and the same way everywhere; boxes; signs, weather and scenes of our own."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pixels": "Letterbox Quality contact_sheet decode draw_boxes encode image_id image_size letterbox quality resize".split(),
        "boxes": "area clip_boxes convert iou".split(),
        "weather": "WEATHERS weather_over".split(),
        "scenery": "LIGHTS".split(),
        "signs": "CLASSES".split(),
        "camera": "Frame crop drive".split(),
        "scenes": "Drives drives gallery write_crops write_scenes".split(),
    },
)

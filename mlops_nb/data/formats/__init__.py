"Folders as they come: one module per family of formats, and the one that sees which it is."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "reading": "READERS detect read_folder".split(),
        "folders": "GTSRB_CLASSES NO_CLASS read_gtsrb read_image_folder".split(),
        "labels": "read_csv".split(),
        "coco": "read_coco".split(),
    },
)

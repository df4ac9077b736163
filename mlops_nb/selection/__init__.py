"Which samples to look at, label or learn from next; and where the data has holes."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "encoders": "find_encoder shipped_encoder".split(),
        "embedding": "Embedded embed".split(),
        "beside": "open_look predictions_of vectors_of".split(),
        "choosing": "cover novel similar uncertain".split(),
        "domain": "Coverage clips_needed coverage".split(),
    },
)

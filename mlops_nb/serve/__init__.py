"A bundle behind the Open Inference Protocol, in a process of its own; every prediction is logged."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "operate": "Answer Deployment classify classify_many deploy deployment deployments stop".split(),
        "log": "prediction_log refused_log".split(),
    },
)

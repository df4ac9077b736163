"What happened, readable without us; and whether it happens again."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "reports": "Section readable report".split(),
        "verdicts": "Finding Verdict".split(),
        "reproducing": "reproduce".split(),
    },
)

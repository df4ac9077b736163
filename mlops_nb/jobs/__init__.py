"Long work in a process of its own: begun by a click, followed from anywhere, outliving whoever began it."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "verbs": "VERBS".split(),
        "processes": "Job jobs load_job log_of start stop_job watch_job".split(),
    },
)

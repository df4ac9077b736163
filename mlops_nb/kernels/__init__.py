"Kernels that start warm: forked from a process with the heavy libraries imported."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"warm": ["ForkedKernel", "WarmProvisioner", "ask", "fork_module", "key_of"]}
)

"A model that can leave: preprocessing and network as one ONNX graph; parity; predict."

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bundles": "Bundle Parity load_bundle store_bundle".split(),
        "features": "Encoder bundle_encoder encode encoder_digest export_encoder load_encoder torchvision_encoder".split(),
        "exporting": "MAX_SCORE_DIFF export preprocess".split(),
        "rules": "Broken broken_rules held_to".split(),
        "prediction": "Predictions predict predict_table".split(),
    },
)

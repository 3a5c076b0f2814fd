"""From crops to parameters: layout, whitening, pixel conventions, model bundles, the ONNX session."""

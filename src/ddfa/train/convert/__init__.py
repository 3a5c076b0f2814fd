"""Networks in other forms: ONNX export, quantisation, ensembles, bundles, import of original 3DDFA checkpoints."""

"""Training: networks, losses, loop and ONNX export. The only package that imports torch."""

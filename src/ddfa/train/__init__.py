"""Training: networks, losses, loop and ONNX export. The only room of the house that imports torch."""

"""Measuring models: landmark accuracy on annotated photos."""

"""Formats of image files: headers, containers, and the decoders used beside OpenCV."""

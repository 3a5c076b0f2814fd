"""Rasterisation: the triangle at each pixel, visibility, light, and maps of faces. Reads `Faces`, writes no files."""

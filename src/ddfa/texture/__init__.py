"""Textures on the open head's atlas: unwrapping of photos, completion, eyes and mouth, frontal views."""

"""Textures of photographed faces on the open head's atlas: unwrapping, the interior of the mouth, frontal views."""

"""Synthetic images: the open head rendered with skin, hair, accessories, occluders, light and background."""

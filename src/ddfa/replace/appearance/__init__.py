"""Appearance of a replaced face: colour transfer, noise matching, skin texture."""

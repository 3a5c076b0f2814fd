"""Occluders in front of a face: the occlusion network, mattes from colour, glasses."""

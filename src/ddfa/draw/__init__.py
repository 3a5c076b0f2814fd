"""Overlays and sheets: faces drawn over their photo, contact sheets. Returns images, writes no files."""

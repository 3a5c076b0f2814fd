"""Drawing: faces over their photo, and contact sheets. Returns images; writes no files."""

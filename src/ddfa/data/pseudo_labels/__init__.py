"""Pseudo-labels: teachers' predictions on photos, and the head model fitted to them."""

"""Data sets on disk: photos, labels, manifests, and readers of published annotation formats."""

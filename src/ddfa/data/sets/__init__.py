"""Data sets on disk: photos, labels, manifests, and readers of public annotation formats."""

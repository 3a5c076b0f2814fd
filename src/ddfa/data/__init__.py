"""Training data: photos become labels, labels become rotated pictures."""

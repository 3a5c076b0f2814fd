"""Tracking: faces followed from frame to frame, with stable ids and temporal smoothing."""

"""Video: frames in and out, tracking, smoothing, animation."""

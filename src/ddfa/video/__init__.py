"""Video: frames in and out, faces followed and smoothed through time."""

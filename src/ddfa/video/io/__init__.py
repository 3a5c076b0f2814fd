"""Frames in and out: video files, cameras, image sequences, audio."""

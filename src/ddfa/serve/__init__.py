"""The HTTP service: face alignment of photos as JSON and files, the studio page, and a live channel for cameras."""

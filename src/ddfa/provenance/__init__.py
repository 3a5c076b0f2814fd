"""Provenance of synthetic images and videos: XMP metadata, signed C2PA manifests, visible watermarks."""

"""Millions of photos to tables of faces, in shards that can be resumed (extra `batch`)."""

"""Corpora of millions of photos to tables of faces, in resumable shards (extra `batch`)."""

"""Fuzzing of the readers of untrusted files: mutations that know the formats."""

"""The head model: mean, identity and expression bases, topology, landmarks; readers for the original 3DDFA models."""

"""The head model: mean, identity and expression bases, topology, landmarks; readers for published models."""

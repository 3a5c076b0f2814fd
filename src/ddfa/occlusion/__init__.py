"""One face in one image: the colour of its skin, and what is in front of it (hands, hair, hats, glasses)."""

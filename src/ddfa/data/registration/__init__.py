"""Registration: correspondences between surfaces, landmarks placed on a head."""

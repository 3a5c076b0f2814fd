"""What belongs to one person in several images: looks, identity, and pose and expression for a given identity."""

"""Registration: dense correspondence between head models, and placement of landmarks."""

"""The command line of original 3DDFA V1 and the figures it draws."""

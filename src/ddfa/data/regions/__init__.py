"""Data of the region networks: labels of patches by the mesh teacher, tongues drawn into photos."""

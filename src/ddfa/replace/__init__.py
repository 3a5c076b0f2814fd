"""3D face replacement: one person's face on another's, by way of the mesh."""

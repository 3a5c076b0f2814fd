"""Pictures of meshes and faces: rasteriser, lighting, overlays, contact sheets."""

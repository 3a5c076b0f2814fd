"""The motion of one face for animation programs: over the network (VMC, Live Link) and as files (CSV, BVH)."""

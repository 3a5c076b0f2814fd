"""Face profiling: pose augmentation by out-of-plane rotation, and edits of eyelids and mouths."""

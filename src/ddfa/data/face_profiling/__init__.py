"""Face profiling: pose augmentation by out-of-plane rotation, with other eyelids and mouths."""

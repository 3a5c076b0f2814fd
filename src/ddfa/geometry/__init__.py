"""Camera, pose, Euler angles and RoI transforms: pure functions on arrays, NumPy only."""

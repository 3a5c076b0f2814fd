"""Training of the region networks: patches of eyes and mouth, losses, calibration, export."""

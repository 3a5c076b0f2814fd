"""Synthetic faces: everything that is drawn on, over and around the open head."""

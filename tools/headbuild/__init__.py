"""Parts of `tools/build_head.py`: from MakeHuman's CC0 assets to the open head model."""

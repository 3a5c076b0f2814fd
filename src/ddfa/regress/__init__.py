"""From crops to parameters: layout, whitening, pixel conventions, model bundles, the ONNX session."""

import os

# From version 1.32, ONNX Runtime stores a device id in the user's cache and sends telemetry, unless this is set before
# it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

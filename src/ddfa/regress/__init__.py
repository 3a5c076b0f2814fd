"""From crops to parameters: layout, whitening, pixel conventions, model bundles, the ONNX session."""

import os

# From 1.32 on, ONNX Runtime leaves a device id in the user's cache and reports to its maker, unless this is set before
# it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

"""English intermediate-task training for low-resource languages on one consumer GPU."""

import os

__version__ = "0.1.0"

# onnxruntime sends telemetry from its first import on, where nobody says otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

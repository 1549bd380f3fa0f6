"""The lite vision profile: small networks on a CPU, weights in the package, no download."""

import os

# ONNX Runtime's builds report what they run to its maker, from their import on, and keep an
# identifier in the folder of temporary files. Nothing leaves this machine unless its owner says
# so; newer versions know the first name, some older ones the second.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("ORT_TELEMETRY_DISABLED", "1")

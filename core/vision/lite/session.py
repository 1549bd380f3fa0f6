"""How this profile opens an ONNX model."""

from __future__ import annotations

import onnxruntime as ort


def open_session(weights: bytes, threads: int) -> ort.InferenceSession:
    """A CPU session; ``threads`` of each inference, 0 leaves it to onnxruntime.

    Its threads sleep between inferences instead of spinning. Several models take turns here, on
    a few cores that also decode and write: one that spins takes the core another one needs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])

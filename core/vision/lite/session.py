"""How this profile opens an ONNX model."""

from __future__ import annotations

from typing import Final

import onnxruntime as ort

from core.errors import SettingsError

_CPU: Final = "CPUExecutionProvider"
_CUDA: Final = "CUDAExecutionProvider"


def open_session(weights: bytes, threads: int, device: str = "cpu") -> ort.InferenceSession:
    """A session on ``cpu``, ``cuda`` or ``cuda:N``.

    Args:
        threads: of each inference on a CPU; 0 leaves it to onnxruntime.

    Raises:
        SettingsError: this host does not have the device.

    Its threads sleep between inferences instead of spinning. Several models take turns here, on
    a few cores that also decode and write: one that spins takes the core another one needs.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if device == "cpu":
        return ort.InferenceSession(weights, options, providers=[_CPU])
    if _CUDA not in ort.get_available_providers():
        raise _missing(device, "this onnxruntime is built without CUDA")
    card = int(device.partition(":")[2] or 0)
    session = ort.InferenceSession(weights, options, providers=[(_CUDA, {"device_id": card}), _CPU])
    # A driver that is missing or too old is no error to onnxruntime: it goes on without.
    if session.get_providers()[0] != _CUDA:
        raise _missing(device, "onnxruntime cannot use it; is the driver there, and the card free?")
    return session


def _missing(device: str, why: str) -> SettingsError:
    return SettingsError(
        f"device {device}: {why}. Put onnxruntime-gpu in the place of onnxruntime on a host with"
        " an NVIDIA card, or choose --device cpu (TAGGER_VISION__DEVICE)"
    )

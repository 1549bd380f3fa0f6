"""Pictures between blobs and arrays. Only our own encodings are read here: a stranger's bytes are
decoded in child processes (``core.media``)."""

from __future__ import annotations

import cv2
import numpy as np

from core.errors import BlobMissingError
from core.vision.port import Image, Mask

_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


def decode(data: bytes) -> Image:
    """``(h, w, 3) uint8`` RGB of a JPEG or PNG that a stage wrote; raises BlobMissingError."""
    pixels = _decoded(data, cv2.IMREAD_COLOR)
    if pixels is None:
        raise BlobMissingError("a stored picture is damaged; submit its medium again")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def decode_alpha(data: bytes) -> Mask:
    """``(h, w) bool``: where an RGBA PNG is opaque; raises BlobMissingError."""
    pixels = _decoded(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        raise BlobMissingError("a stored masked crop is damaged; submit its medium again")
    return np.asarray(pixels[:, :, 3] > 127)


def _decoded(data: bytes, flags: int) -> np.ndarray | None:
    """As OpenCV lays it out; None for damaged bytes, whether OpenCV answers so or raises, as it
    does for none at all."""
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None


def encode_png(image: Image, mask: Mask | None = None) -> bytes:
    """PNG of an RGB image; RGBA, transparent outside the mask, where there is one.

    Pixels outside the mask are black, which costs no bytes and leaks no background.
    """
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if mask is not None:
        alpha = mask.astype(np.uint8) * 255
        bgr = np.dstack([bgr * mask[:, :, None], alpha])
    ok, data = cv2.imencode(".png", np.ascontiguousarray(bgr), _FAST)
    if not ok:
        raise RuntimeError("PNG encoder refused an array")
    return data.tobytes()

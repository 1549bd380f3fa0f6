"""How a decoded video frame becomes sRGB. Child process only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, VideoReformatter

from core.media.colour import BT2020, UNSPECIFIED, Reading, Tags, read_as
from core.media.tonemap import to_srgb

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_RGB = 0  # "matrix" of what is stored as RGB
_HD_LINES = 720
# The matrices that FFmpeg's scaler knows; it refuses a frame tagged with any other.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


def tags_of(frame: VideoFrame) -> Tags:
    deep = any(component.bits > 8 for component in frame.format.components)
    return Tags(int(frame.color_primaries), int(frame.color_trc), deep)


def settle_matrix(frame: VideoFrame) -> str | None:
    """Retag a frame whose matrix no scaler knows, which it would refuse; gives a note on it."""
    tagged = int(frame.colorspace)
    if tagged in _MATRICES or tagged == UNSPECIFIED or frame.format.is_rgb:
        return None
    frame.colorspace = UNSPECIFIED
    return None if tagged == _RGB else f"its colour matrix {tagged} is not known here; guessed"


def frame_in_srgb(frame: VideoFrame, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """``(height, width, 3)`` RGB of a settled frame, scaled to width and height: SDR in sRGB.

    FFmpeg's scaler undoes range and matrix, to 16 bits where tone mapping follows.
    """
    reading = read_as(tags_of(frame))
    depth = "rgb24" if reading.is_srgb else "rgb48le"
    scaled = VideoReformatter().reformat(
        frame,
        *size,
        depth,
        src_colorspace=_matrix(frame, reading),
        interpolation="LANCZOS",
    )
    pixels = scaled.to_ndarray()
    if reading.is_srgb:
        return np.asarray(pixels, np.uint8)
    return to_srgb(pixels, reading.primaries, reading.transfer)


def _matrix(frame: VideoFrame, reading: Reading) -> Colorspace | None:
    """Untagged video is BT.2020's with its primaries, else by custom BT.709's where it is HD."""
    if frame.format.is_rgb:
        return None
    if matrix := _MATRICES.get(int(frame.colorspace)):
        return matrix
    if reading.primaries == BT2020:
        return Colorspace.BT2020
    return Colorspace.ITU709 if frame.height >= _HD_LINES else Colorspace.ITU601

"""What a picture's or video's colour tags mean here, and how a frame becomes sRGB.

Tags are the code points of ITU-T H.273 (the same as ISO/IEC 23091-2), which video streams, HEIC,
AVIF, PNG and ICC profiles share. Child process only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, VideoReformatter

from core.media.tonemap import CURVES, HDR, PRIMARIES, to_srgb

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

UNSPECIFIED = 2
BT709, BT2020, SRGB = 1, 9, 13
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


@dataclass(frozen=True, slots=True)
class Tags:
    """What a medium says about its colours.

    Attributes:
        deep: more than 8 bits a channel; such video may well be HDR.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How tags are read: code points that :func:`core.media.tonemap.to_srgb` knows.

    Attributes:
        notes: what could not be told, and what was taken instead.
    """

    primaries: int
    transfer: int
    notes: tuple[str, ...] = ()

    @property
    def is_srgb(self) -> bool:
        """Nothing to convert: SDR with the primaries of BT.709."""
        return self.primaries == BT709 and self.transfer == SRGB


@lru_cache(maxsize=64)
def read_as(tags: Tags) -> Reading:
    """What is not said is SDR in BT.709, or BT.2020 where the transfer is HLG's or PQ's."""
    notes = []
    transfer = CURVES.get(tags.transfer)
    if transfer is None:
        transfer = SRGB
        if tags.transfer != UNSPECIFIED:
            notes.append(f"its colour transfer {tags.transfer} is not known here; read as SDR")
        elif tags.deep or tags.primaries == BT2020:
            notes.append("it does not say its colour transfer (SDR, HLG or PQ); read as SDR")
    custom, name = (BT2020, "BT.2020") if transfer in HDR else (BT709, "BT.709")
    primaries = tags.primaries
    if primaries not in PRIMARIES:
        if primaries != UNSPECIFIED:
            notes.append(f"its colour primaries {primaries} are not known here; read as {name}")
        elif transfer in HDR:
            notes.append(f"it does not say its colour primaries; read as {name}")
        primaries = custom
    return Reading(primaries, transfer, tuple(notes))


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

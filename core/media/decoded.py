"""What decoding gives: frames as JPEG files, with their place in time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a child imports this, and has no need of the events' models
    from core.events import Kind


@dataclass(frozen=True, slots=True)
class FrameFile:
    """One frame, written as JPEG by us, upright, sRGB, without alpha.

    Attributes:
        path: the file; its name is the time.
        time_ms: presentation time, unique within the medium; 0 for a picture.
        timecode: the same as ``HH:MM:SS.mmm``.
        width: pixels of the file, as is ``height``.
        scene_start_ms: when the frame's scene begins; it ends before ``scene_end_ms``.
    """

    path: Path
    time_ms: int
    timecode: str
    width: int
    height: int
    scene_start_ms: int = 0
    scene_end_ms: int = 0


@dataclass(frozen=True, slots=True)
class Decoded:
    """All key frames of a medium in order of time, at least one.

    Attributes:
        notes: what a reader should know, in words (truncated, scaled down).
        duration_ms: what could be decoded; 0 for a picture.
    """

    kind: Kind
    frames: tuple[FrameFile, ...]
    notes: tuple[str, ...] = ()
    duration_ms: int = 0


def frame_name(time_ms: int) -> str:
    """What a frame's file is called, so that names sort by time."""
    return f"{time_ms:09d}.jpg"


def timecode(time_ms: int) -> str:
    """``HH:MM:SS.mmm``; hours go on past 99."""
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"

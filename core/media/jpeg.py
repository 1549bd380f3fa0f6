"""The one way in which frames are written, whatever they came from."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from core.media.decoded import FrameFile, frame_name, timecode


def write_frame(
    image: Image.Image, folder: Path, time_ms: int, scene: tuple[int, int] = (0, 0)
) -> FrameFile:
    """Write an RGB image as JPEG (quality 95, full colour resolution) named by its time.

    Raises OSError. The bytes are made first: Pillow's own writing hides why a disk refused them.
    """
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, subsampling=0)
    path = folder / frame_name(time_ms)
    path.write_bytes(buffer.getbuffer())
    return FrameFile(path, time_ms, timecode(time_ms), image.width, image.height, *scene)


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size in pixels at which the longer side is at most ``max_side``; never larger."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))

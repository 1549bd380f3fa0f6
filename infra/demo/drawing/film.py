"""Films stills: a slow camera over each, hard cuts between them, H.264 in an MP4."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from core.vision.port import Image
from infra.demo.truth import Shot

FPS = 24


@dataclass(frozen=True, slots=True)
class Reel:
    """A shot with the still it films."""

    still: Image
    shot: Shot


def write_film(path: Path, reels: Sequence[Reel], width: int, height: int) -> None:
    """Writes the shots one after the other; ``width`` and ``height`` must be even."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "21", "preset": "veryfast"}
        for image in _frames(reels, width, height):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _frames(reels: Sequence[Reel], width: int, height: int) -> Iterator[Image]:
    total = round(reels[-1].shot.end_ms * FPS / 1000)
    pending = list(reels)
    for number in range(total):
        time_ms = number * 1000 / FPS
        while time_ms >= pending[0].shot.end_ms and len(pending) > 1:
            pending.pop(0)
        yield _look(pending[0], time_ms, width, height)


def _look(reel: Reel, time_ms: float, width: int, height: int) -> Image:
    """What the camera shows at a time, with pixel centres kept in place."""
    view = reel.shot.view(time_ms)
    across, down = view.width / width, view.height / height
    turn = np.array(
        [
            [across, 0, view.x + (across - 1) / 2],
            [0, down, view.y + (down - 1) / 2],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(
        reel.still, turn, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(seen, np.uint8)

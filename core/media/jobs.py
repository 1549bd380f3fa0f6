"""The jobs that a decoder's child does, by name: from JSON to JSON.

Decoders are imported there, when first needed. ``requests`` says how each is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.media.limits import Progress, Telling
from core.media.options import DecodeOptions

if TYPE_CHECKING:
    from core.media.decoded import Decoded
    from core.media.probe import Probe


def frames_of_picture(path: str, folder: str, options: dict[str, Any]) -> dict[str, Any]:
    from core.media.picture import decode_picture

    return _frames(decode_picture(Path(path), Path(folder), DecodeOptions(**options)))


def frames_of_video(
    path: str, folder: str, options: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    from core.media.video import decode_video

    return _frames(decode_video(Path(path), Path(folder), DecodeOptions(**options), progress))


def probe_picture(path: str, options: dict[str, Any]) -> dict[str, Any]:
    from core.media import picture

    return _probe(picture.probe_picture(Path(path), DecodeOptions(**options)))


def probe_video(path: str, options: dict[str, Any]) -> dict[str, Any]:
    from core.media import video

    return _probe(video.probe_video(Path(path), DecodeOptions(**options)))


def warm_up() -> None:
    """Import what pictures need, so that the first one does not wait for it."""
    import core.media.picture  # noqa: F401


JOBS: dict[str, Callable[..., Any] | Telling] = {
    "frames_of_picture": frames_of_picture,
    "frames_of_video": Telling(frames_of_video),
    "probe_picture": probe_picture,
    "probe_video": probe_video,
    "warm_up": warm_up,
}


def _frames(decoded: Decoded) -> dict[str, Any]:
    frames = [
        [frame.time_ms, frame.width, frame.height, frame.scene_start_ms, frame.scene_end_ms]
        for frame in decoded.frames
    ]
    return {"frames": frames, "notes": decoded.notes, "duration_ms": decoded.duration_ms}


def _probe(probe: Probe) -> dict[str, Any]:
    shown = asdict(probe)
    del shown["kind"]
    return shown

"""Of several video tracks, the one that a player would show is read, and that is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from core.media.video import probe_video
from tests.core.media.clips import COLOURS, OPTIONS, decode, write_tracks

_DEFAULT, _NONE = Disposition.default.value, 0
_SMALL, _LARGE = (64, 48), (160, 120)


@pytest.mark.parametrize("extension", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize(
    ("tracks", "read"),
    [
        ([(_SMALL, _NONE), (_LARGE, _DEFAULT)], 1),
        ([(_LARGE, _NONE), (_SMALL, _DEFAULT)], 1),
        ([(_SMALL, _DEFAULT), (_LARGE, _DEFAULT)], 1),
        ([(_LARGE, _DEFAULT), (_LARGE, _DEFAULT)], 0),
    ],
)
def test_the_default_track_is_read_or_the_largest(
    tmp_path: Path, extension: str, tracks: list[tuple[tuple[int, int], int]], read: int
) -> None:
    clip = write_tracks(tmp_path / f"a.{extension}", tracks)

    decoded = decode(clip)

    (frame,) = decoded.frames
    (width, height), _ = tracks[read]
    with Image.open(frame.path) as image:
        mean = np.asarray(image).reshape(-1, 3).mean(axis=0)
    assert np.abs(mean - COLOURS[read]).max() < 15
    assert (frame.width, frame.height) == (width, height)
    assert probe_video(clip, OPTIONS).width == width
    assert decoded.notes == (
        f"of 2 video tracks, the default (number {read}, {width}x{height}) was read",
    )


def test_tracks_that_none_calls_default_are_told_by_size(tmp_path: Path) -> None:
    clip = write_tracks(tmp_path / "a.mkv", [(_SMALL, _NONE), (_LARGE, _NONE)])

    assert decode(clip).notes == ("of 2 video tracks, the largest (number 1, 160x120) was read",)

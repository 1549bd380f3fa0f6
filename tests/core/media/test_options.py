"""Options: refused when they make no sense; the version says what decides the outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.media.decoded import timecode
from core.media.options import DecodeOptions

OPTIONS = DecodeOptions()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_side": 0},
        {"max_side": 70_000},
        {"threshold": 0.0},
        {"threshold": 256.0},
        {"min_scene_ms": -1},
        {"frame_skip": -1},
        {"analysis_side": 1},
        {"max_pixels": 0},
        {"max_duration_s": 0.0},
        {"video_time_limit_s": -1.0},
    ],
)
def test_senseless_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(OPTIONS, **wrong)


@pytest.mark.parametrize(
    "changed",
    [
        {"max_side": 1024},
        {"pick": "start"},
        {"threshold": 30.0},
        {"min_scene_ms": 500},
        {"frame_skip": 1},
        {"analysis_side": 128},
    ],
)
def test_the_version_follows_what_decides_the_frames(changed: dict[str, Any]) -> None:
    assert replace(OPTIONS, **changed).version != OPTIONS.version


def test_the_version_ignores_limits() -> None:
    wider = replace(OPTIONS, max_pixels=1, max_duration_s=1.0, video_time_limit_s=1.0)

    assert wider.version == OPTIONS.version


@pytest.mark.parametrize(
    ("time_ms", "words"),
    [(0, "00:00:00.000"), (12_345, "00:00:12.345"), (3_600_000 * 100 + 61_001, "100:01:01.001")],
)
def test_timecodes(time_ms: int, words: str) -> None:
    assert timecode(time_ms) == words

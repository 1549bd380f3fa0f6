"""Candidates: few, spread over the scene, however long it is."""

from __future__ import annotations

from itertools import pairwise

import av
import numpy as np
import pytest

from core.media.candidates import Candidates
from core.media.stream import TimedFrame
from tests.core.media.clips import textured

SHARP = textured((128, 128, 128), (64, 48))
FLAT = np.full_like(SHARP, 128)


def frames(count: int, sharp: frozenset[int] = frozenset()) -> list[TimedFrame]:
    stored = {
        True: av.VideoFrame.from_ndarray(SHARP, format="rgb24").reformat(format="yuv420p"),
        False: av.VideoFrame.from_ndarray(FLAT, format="rgb24").reformat(format="yuv420p"),
    }
    return [TimedFrame(index * 40, stored[index in sharp]) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 32, 33, 100, 1000, 12_345])
def test_a_bounded_even_sample_is_kept(count: int) -> None:
    candidates = Candidates()

    for frame in frames(count):
        candidates.add(frame)

    times = [kept.time_ms for kept in candidates._kept]
    assert len(times) <= 16
    assert len(times) >= min(count, 8)
    assert times[0] == 0
    assert len({later - earlier for earlier, later in pairwise(times)}) <= 1
    assert times[-1] >= 0.85 * (count - 1) * 40 or count < 3


def test_large_frames_are_fewer() -> None:
    candidates = Candidates()
    large = av.VideoFrame(7680, 4320, "yuv420p")

    for index in range(20):
        candidates.add(TimedFrame(index * 40, large))

    assert len(candidates._kept) <= 4


def test_the_sharpest_near_the_middle_wins() -> None:
    candidates = Candidates()
    for frame in frames(16, sharp=frozenset({1, 9, 15})):
        candidates.add(frame)

    assert candidates.sharpest(0, 640).time_ms == 9 * 40


def test_equal_frames_leave_the_middle_one() -> None:
    candidates = Candidates()
    for frame in frames(11):
        candidates.add(frame)

    assert candidates.sharpest(0, 11 * 40).time_ms == 200


def test_frames_of_the_next_scene_are_left_to_it() -> None:
    candidates = Candidates()
    for frame in frames(16, sharp=frozenset({10})):
        candidates.add(frame)

    assert candidates.sharpest(0, 8 * 40).time_ms < 8 * 40

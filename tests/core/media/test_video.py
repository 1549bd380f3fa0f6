"""Videos: scenes, key frames and their times, from every container."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scenedetect import ContentDetector, detect

from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.stream import VideoSource
from core.media.video import probe_video
from tests.core.media.clips import (
    COLOURS,
    OPTIONS,
    Pixels,
    decode,
    scenes,
    textured,
    write_clip,
)


def spans(decoded: Decoded) -> list[tuple[int, int]]:
    return [(frame.scene_start_ms, frame.scene_end_ms) for frame in decoded.frames]


def shows(path: Path, colour: tuple[int, int, int]) -> bool:
    with Image.open(path) as image:
        mean = np.asarray(image).reshape(-1, 3).mean(axis=0)
    return bool(np.abs(mean - colour).max() < 15)


async def test_each_scene_gives_its_sharpest_frame(
    decoder: Decoder, tmp_path: Path, folder: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 40, 25], sharp_at=[12, 24, 10]))

    decoded = await decoder.frames(clip, "video", folder)

    assert spans(decoded) == [(0, 1200), (1200, 2800), (2800, 3800)]
    assert [frame.time_ms for frame in decoded.frames] == [480, 2160, 3200]
    assert [frame.timecode for frame in decoded.frames][1] == "00:00:02.160"
    assert decoded.frames[1].path == folder / "000002160.jpg"
    assert (decoded.duration_ms, decoded.notes) == (3800, ())
    for frame, colour in zip(decoded.frames, COLOURS, strict=False):
        assert (frame.width, frame.height) == (160, 120)
        assert shows(frame.path, colour)


def test_a_video_without_cuts_is_one_scene(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([50]))

    decoded = decode(clip)

    assert spans(decoded) == [(0, 2000)]
    assert 600 <= decoded.frames[0].time_ms <= 1400


def test_a_video_of_one_frame_gives_that_frame(tmp_path: Path) -> None:
    decoded = decode(write_clip(tmp_path / "a.mp4", scenes([1])))

    assert [frame.time_ms for frame in decoded.frames] == [0]


def test_the_start_of_each_scene_may_be_picked(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 40, 25]))

    decoded = decode(clip, DecodeOptions(pick="start"))

    assert [frame.time_ms for frame in decoded.frames] == [0, 1200, 2800]


@pytest.mark.parametrize(
    ("extension", "codec"),
    [
        ("mp4", "h264"),
        ("mp4", "mpeg4"),
        ("mp4", "libsvtav1"),
        ("mov", "h264"),
        ("mkv", "h264"),
        ("mkv", "hevc"),
        ("webm", "libvpx-vp9"),
        ("webm", "vp8"),
        ("m4v", "mpeg4"),
        ("avi", "mpeg4"),
        ("3gp", "mpeg4"),
        ("mts", "libx264"),
        ("m2ts", "mpeg2video"),
        ("mpg", "mpeg2video"),
        ("mpeg", "mpeg1video"),
    ],
)
def test_containers_and_codecs_agree_on_the_cut(tmp_path: Path, extension: str, codec: str) -> None:
    frames = scenes([20, 20])
    try:
        clip = write_clip(tmp_path / f"a.{extension}", frames, codec=codec)
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this PyAV cannot encode {codec}: {error}")

    decoded = decode(clip)

    assert spans(decoded) == [(0, 800), (800, 1600)]
    assert decoded.notes == ()
    assert probe_video(clip, OPTIONS).width == 160


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_a_variable_frame_rate_is_timed_by_presentation(tmp_path: Path, extension: str) -> None:
    times = [number * 40 + (number // 10) * 400 for number in range(60)]
    clip = write_clip(tmp_path / f"a.{extension}", scenes([30, 30]), times_ms=times)

    decoded = decode(clip)

    assert decoded.frames[1].scene_start_ms == times[30] == 2400
    assert all(frame.time_ms in times for frame in decoded.frames)
    assert abs(decoded.duration_ms - (times[-1] + 40)) <= 400


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_display_matrix_is_obeyed(tmp_path: Path, rotation: int) -> None:
    clip = write_clip(tmp_path / "a.mp4", [_quarters()] * 10, rotation=rotation)

    image = _only_image(clip)

    expected = np.rot90(_quarters(), rotation // 90)  # counterclockwise, as the matrix is
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 12
    probe = probe_video(clip, OPTIONS)
    assert (probe.height, probe.width) == expected.shape[:2]


def test_a_mirrored_video_is_shown_as_meant(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [_quarters()] * 10, mirrored=True)

    image = _only_image(clip)

    assert np.abs(image.astype(int) - _quarters()[:, ::-1]).mean() < 12


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([10]), aspect=Fraction(4, 3))

    frame = decode(clip).frames[0]

    assert (frame.width, frame.height) == (213, 120)


def test_a_large_video_is_scaled_down_and_says_so_once(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([20, 20], size=(320, 240)))

    decoded = decode(clip, DecodeOptions(max_side=160))

    assert {(frame.width, frame.height) for frame in decoded.frames} == {(160, 120)}
    assert decoded.notes == ("scaled down from 320x240 to fit 160 pixels",)


def test_cuts_are_those_of_pyscenedetect(tmp_path: Path) -> None:
    lengths = [25, 8, 3, 3, 40, 16, 14, 2, 30, 15, 33]
    clip = write_clip(tmp_path / "a.mp4", scenes(lengths, size=(320, 240)), codec="h264")

    decoded = decode(clip)

    expected = detect(str(clip), ContentDetector(min_scene_len=0.6), start_in_scene=True)
    starts = [round(start.seconds * 1000) for start, _ in expected]
    assert [start for start, _ in spans(decoded)] == starts
    assert len(starts) > 4


@pytest.mark.parametrize("pick", ["sharpest", "start"])
def test_scenes_cover_the_video_and_times_are_unique(tmp_path: Path, pick: str) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([5, 3, 2, 9, 1, 1, 1, 20, 4, 30]))

    decoded = decode(clip, DecodeOptions(min_scene_ms=0, pick=pick))  # type: ignore[arg-type]

    assert len({frame.time_ms for frame in decoded.frames}) == len(decoded.frames) == 10
    assert [start for start, _ in spans(decoded)[1:]] == [end for _, end in spans(decoded)[:-1]]
    for frame in decoded.frames:
        assert frame.scene_start_ms <= frame.time_ms < frame.scene_end_ms


def test_skipping_frames_finds_the_cut_no_later_than_it_skips(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([31, 30]))

    decoded = decode(clip, DecodeOptions(frame_skip=2))

    assert len(decoded.frames) == 2
    assert 1240 <= decoded.frames[1].scene_start_ms <= 1320


def test_a_threshold_above_every_change_finds_no_cut(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 30]))

    assert len(decode(clip, DecodeOptions(threshold=255)).frames) == 1


def test_the_same_bytes_give_the_same_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 30, 30]), codec="h264")

    first = decode(clip)
    pixels = [frame.path.read_bytes() for frame in first.frames]
    second = decode(clip)

    assert first == second
    assert pixels == [frame.path.read_bytes() for frame in second.frames]


def test_times_rise_whatever_the_stream_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([8]), rate=25)
    # A negative start, one time twice, one missing, then a jump back as in joined recordings.
    times = iter([-512, 0, 0, 512, None, 1536, 0, 512])
    decode_as_stored = VideoSource._decode

    def broken(self: VideoSource) -> Iterator[av.VideoFrame]:
        for frame in decode_as_stored(self):
            frame.pts = next(times)
            yield frame

    monkeypatch.setattr(VideoSource, "_decode", broken)

    with VideoSource(clip, OPTIONS) as source:
        given = [timed.time_ms for timed in source.frames()]

    assert given == [0, 40, 41, 80, 120, 160, 200, 240]


async def test_a_probe_reads_one_frame(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30]), rotation=90)

    probe = await decoder.probe(clip, "video")

    assert (probe.kind, probe.format, probe.width, probe.height) == ("video", "mov", 120, 160)


def _quarters() -> Pixels:
    """160x120: a white corner at the upper left, red beside it, blue below."""
    pixels = textured((200, 40, 40), (160, 120))
    pixels[60:] = (40, 60, 190)
    pixels[:60, :80] = 255
    return pixels


def _only_image(clip: Path) -> Pixels:
    (frame,) = decode(clip).frames
    with Image.open(frame.path) as image:
        return np.asarray(image)

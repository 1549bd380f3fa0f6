"""Videos: scenes, key frames and their times, from every container, damaged or whole."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from scenedetect import ContentDetector, detect

from core.errors import LimitExceededError, UndecodableError
from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.stream import VideoSource
from core.media.video import decode_video, probe_video
from tests.core.media.clips import COLOURS, Pixels, scenes, textured, write_clip

OPTIONS = DecodeOptions()
FASTSTART = {"movflags": "+faststart"}


def decode(path: Path, options: DecodeOptions = OPTIONS) -> Decoded:
    folder = path.parent / "frames"
    folder.mkdir(exist_ok=True)
    return decode_video(path, folder, options)


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


@pytest.mark.parametrize("extension", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_truncated_video_gives_what_it_has_and_says_so(
    tmp_path: Path, extension: str, share: float
) -> None:
    codec = "vp8" if extension == "webm" else "mpeg4"
    frames = scenes([100, 100, 50])
    clip = write_clip(tmp_path / f"w.{extension}", frames, codec=codec, options=FASTSTART)
    short = tmp_path / f"a.{extension}"
    short.write_bytes(clip.read_bytes()[: int(clip.stat().st_size * share)])

    decoded = decode(short)

    assert 1000 < decoded.duration_ms < 9000
    assert any(note.endswith("s of 10.0 s") for note in decoded.notes), decoded.notes
    assert decoded.frames


def test_a_video_without_its_index_is_refused_and_told_why(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "w.mp4", scenes([50]))
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes()[:-2000])

    with pytest.raises(UndecodableError, match=r"index \(moov atom\) is missing"):
        decode(tmp_path / "a.mp4")
    with pytest.raises(UndecodableError, match=r"index \(moov atom\) is missing"):
        probe_video(tmp_path / "a.mp4", OPTIONS)


def test_a_longer_sound_track_is_no_truncation(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30]), sound_s=4)

    decoded = decode(clip)

    assert decoded.notes == ()
    assert decoded.duration_ms == 1200


def test_sound_without_pictures_is_refused_by_name(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as output:
        stream = output.add_stream("aac", rate=16_000)
        samples = np.zeros((1, 1024), np.float32)
        for block in range(20):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, block * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode())

    with pytest.raises(UndecodableError, match="sound but no picture"):
        decode(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"Hello, this is a shopping list.\n" * 9, "starts like text"),
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret\n", "starts like a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "starts like text"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 60, "starts like a JPEG picture"),
        (b"RIFF\0\0\0\0AVI LIST" + b"\0" * 50, "starts like an AVI video"),
        (b"\x1a\x45\xdf\xa3" + b"\xff" * 500, "damaged video"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 500, "index"),
    ],
)
async def test_what_is_no_video_is_refused_by_name(
    decoder: Decoder, tmp_path: Path, folder: Path, content: bytes, words: str
) -> None:
    (tmp_path / "a.mp4").write_bytes(content)

    with pytest.raises(UndecodableError, match=words):
        await decoder.frames(tmp_path / "a.mp4", "video", folder)
    with pytest.raises(UndecodableError, match=words):
        await decoder.probe(tmp_path / "a.mp4", "video")


def test_a_renamed_archive_is_refused_by_name(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"b")
    (tmp_path / "a.mkv").write_bytes(packed.getvalue())

    with pytest.raises(UndecodableError, match="starts like a ZIP archive"):
        decode(tmp_path / "a.mkv")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DecodeOptions(max_duration_s=1.5), "max_duration_s = 1.5"),
        (DecodeOptions(max_video_pixels=10_000), "160x120 pixels.*max_video_pixels = 10000"),
        (DecodeOptions(max_video_frames=20), "max_video_frames = 20"),
        (DecodeOptions(max_scenes=1), "max_scenes = 1"),
    ],
)
def test_limits_name_the_setting_to_raise(
    tmp_path: Path, options: DecodeOptions, words: str
) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 30]))

    with pytest.raises(LimitExceededError, match=words):
        decode(clip, options)


async def test_a_probe_reads_one_frame(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30]), rotation=90)

    probe = await decoder.probe(clip, "video")

    assert (probe.kind, probe.format, probe.width, probe.height) == ("video", "mov", 120, 160)


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
async def test_flipped_bits_never_do_more_than_refuse(
    decoder: Decoder, tmp_path: Path, folder: Path, extension: str
) -> None:
    clip = write_clip(tmp_path / f"w.{extension}", scenes([10, 20]), codec="h264")
    whole = clip.read_bytes()
    dice = random.Random(extension)
    path = tmp_path / f"a.{extension}"
    survived = 0

    for _ in range(30):
        data = bytearray(whole)
        for _ in range(dice.choice([1, 10, 100])):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            survived += bool((await decoder.frames(path, "video", folder)).frames)
        except (UndecodableError, LimitExceededError) as error:
            assert len(str(error)) > 10  # noqa: PT017

    assert survived > 0


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

"""Videos that are damaged, disguised or too large: what can be had, or a clear refusal."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest

from core.errors import LimitExceededError, UndecodableError
from core.media.decode import Decoder
from core.media.options import DecodeOptions
from core.media.video import probe_video
from tests.core.media.clips import OPTIONS, decode, scenes, write_clip

FASTSTART = {"movflags": "+faststart"}


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
        (b"FLV" + b"\0" * 60, "starts like an FLV video"),
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
        (DecodeOptions(max_duration_s=1.5), "max_duration_s = 1.5.*raise TAGGER_MEDIA__MAX_DUR"),
        (
            DecodeOptions(max_video_pixels=10_000),
            "160x120 pixels.*max_video_pixels = 10000.*raise TAGGER_MEDIA__MAX_VIDEO_PIXELS",
        ),
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


def test_a_video_that_just_keeps_to_the_limit_is_not_called_damaged(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([5], size=(160, 120)))

    decoded = decode(clip, DecodeOptions(max_video_pixels=160 * 120))

    assert (decoded.frames[0].width, decoded.frames[0].height) == (160, 120)


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


def test_a_damaged_stream_gives_the_same_frames_each_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "w.mp4", scenes([40, 40, 40], size=(640, 360)), codec="h264")
    data = bytearray(clip.read_bytes())
    dice = random.Random(5)
    for _ in range(12):
        data[dice.randrange(2000, len(data) - 6000)] ^= 1 << dice.randrange(8)
    (tmp_path / "a.mp4").write_bytes(data)

    outcomes = []
    for _ in range(3):
        decoded = decode(tmp_path / "a.mp4")
        outcomes.append((decoded, [frame.path.read_bytes() for frame in decoded.frames]))

    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_a_refused_video_leaves_no_frames_behind(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([20, 20, 20]))

    with pytest.raises(LimitExceededError):
        decode(clip, DecodeOptions(max_scenes=2))

    assert list((tmp_path / "frames").iterdir()) == []

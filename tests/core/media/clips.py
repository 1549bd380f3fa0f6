"""Videos made for the tests: each frame says in its pixels which scene it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.video import decode_video

Pixels = npt.NDArray[np.uint8]

OPTIONS = DecodeOptions()
COLOURS = ((200, 40, 40), (40, 60, 190), (40, 160, 60), (190, 180, 40), (150, 50, 170))


def textured(colour: tuple[int, int, int], size: tuple[int, int], seed: int = 0) -> Pixels:
    """``(height, width, 3)`` RGB: a colour with soft texture, so that focus can be seen."""
    width, height = size
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 1))
    soft = cv2.GaussianBlur(noise, (0, 0), 1.2).reshape(height, width, 1)
    return np.clip(np.array(colour) + 60 * soft, 0, 255).astype(np.uint8)


def scenes(
    lengths: Sequence[int], size: tuple[int, int] = (160, 120), sharp_at: Sequence[int] = ()
) -> list[Pixels]:
    """Frames of scenes of these lengths, each with its colour.

    Where ``sharp_at`` gives an index into a scene, all other frames of that scene are blurred.
    """
    frames = []
    for scene, length in enumerate(lengths):
        sharp = textured(COLOURS[scene % len(COLOURS)], size, scene)
        blurred = cv2.GaussianBlur(sharp, (0, 0), 3).astype(np.uint8)
        for index in range(length):
            is_sharp = scene >= len(sharp_at) or index == sharp_at[scene]
            frames.append(sharp if is_sharp else blurred)
    return frames


def write_clip(
    path: Path,
    frames: Sequence[Pixels],
    *,
    codec: str = "mpeg4",
    rate: int = 25,
    times_ms: Sequence[int] | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    sound_s: float = 0.0,
    bits: int = 4_000_000,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode frames; ``times_ms`` are presentation times of a variable frame rate."""
    with av.open(str(path), "w", options=options or {}) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = bits
        stream.gop_size = 12
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if mirrored:
            one = 1 << 16
            stream.set_display_matrix([-one, 0, 0, 0, one, 0, 0, 0, 1 << 30])
        elif rotation:
            stream.set_display_rotation(rotation)
        sound = output.add_stream("aac", rate=16_000) if sound_s else None
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts = number if times_ms is None else times_ms[number]
            frame.time_base = Fraction(1, rate) if times_ms is None else Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
        if sound is not None:
            for block in range(int(sound_s * 16_000 / 1024)):
                samples = np.zeros((1, 1024), np.float32)
                tone = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                tone.sample_rate, tone.pts = 16_000, block * 1024
                output.mux(sound.encode(tone))
            output.mux(sound.encode())
    return path


def decode(path: Path, options: DecodeOptions = OPTIONS) -> Decoded:
    folder = path.parent / "frames"
    folder.mkdir(exist_ok=True)
    return decode_video(path, folder, options)


def write_tracks(
    path: Path, tracks: Sequence[tuple[tuple[int, int], int]], length: int = 10
) -> Path:
    """A video of several tracks, each of a size, with a disposition, and its colour of COLOURS."""
    with av.open(str(path), "w") as output:
        streams = []
        for (width, height), disposition in tracks:
            stream = output.add_stream("mpeg4", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.bit_rate = 4_000_000
            stream.disposition = Disposition(disposition)
            streams.append(stream)
        for number in range(length):
            for index, stream in enumerate(streams):
                pixels = textured(COLOURS[index], (stream.width, stream.height))
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts = number
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode())
    return path

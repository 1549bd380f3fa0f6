"""Broken inputs, made by code: the same seed gives the same bytes.

A kind says what was done to a file, and what its sender is to be told.
"""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import numpy as np
import pillow_heif
from PIL import Image

from core.vision.port import Image as Pixels

pillow_heif.register_heif_opener()

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_MP4 = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"
_MATROSKA = b"\x1a\x45\xdf\xa3"
_REPEATABLE = {"fflags": "+bitexact"}

MEMORY_LIMIT_MB = 320
TIME_LIMIT_S = 5
"""Limits under which the last two kinds cost a decoder its life, and no other medium does."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Attributes:
    name: what is wrong, as part of the file's name.
    suffix: what the file says it is.
    words: a regular expression that the reason must match.
    make: the bytes; others for each call, where that is possible.
    """

    name: str
    suffix: str
    words: str
    make: Callable[[Random], bytes]


@dataclass(frozen=True, slots=True)
class BrokenFile:
    path: Path
    kind: Kind


def write_broken(
    folder: Path, count: int, seed: int, killers: int, kinds: Sequence[Kind] = ()
) -> list[BrokenFile]:
    """As many files, kinds in turn, with so many of each killer among them, all shuffled."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)
    chosen = [kind for kind in KILLERS for _ in range(killers)]
    plain = kinds or KINDS
    chosen += [plain[n % len(plain)] for n in range(count - len(chosen))]
    random.shuffle(chosen)
    return list(_written(folder, chosen, random))


def _written(folder: Path, kinds: Iterable[Kind], random: Random) -> Iterable[BrokenFile]:
    for number, kind in enumerate(kinds):
        path = folder / f"{number:03d}-{kind.name}{kind.suffix}"
        path.write_bytes(kind.make(random))
        yield BrokenFile(path, kind)


def _noise(random: Random, width: int, height: int) -> Pixels:
    source = np.random.default_rng(random.randrange(1 << 30))
    return source.integers(0, 255, (height, width, 3), dtype=np.uint8)


def _picture(random: Random, form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_noise(random, 160, 120)).save(buffer, form)
    return buffer.getvalue()


def _video(random: Random, form: str, apart_s: int | None = None) -> bytes:
    codecs = {"mp4": "mpeg4", "webm": "libvpx"}
    buffer = io.BytesIO()
    with av.open(buffer, "w", form, options=_REPEATABLE) as output:
        stream = output.add_stream(codecs[form], rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(4 if apart_s is None else 2):
            frame = av.VideoFrame.from_ndarray(_noise(random, 96, 64), format="rgb24")
            frame.pts = number * 10 * apart_s if apart_s else number
            frame.time_base = Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def _sound(random: Random) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", "mp4", options=_REPEATABLE) as output:
        stream = output.add_stream("aac", rate=16_000)
        for block in range(8):
            loud = np.full((1, 1024), random.uniform(-0.3, 0.3), np.float32)
            frame = av.AudioFrame.from_ndarray(loud, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16_000, block * 1024
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return buffer.getvalue()


def _cut(form: str) -> Callable[[Random], bytes]:
    def make(random: Random) -> bytes:
        whole = _video(random, form) if form in ("mp4", "webm") else _picture(random, form)
        # Before the index of an MP4, and before the first frame of a WEBM.
        share = random.uniform(0.005, 0.01) if form == "webm" else random.uniform(0.1, 0.8)
        return whole[: int(len(whole) * share)]

    return make


def _text(random: Random) -> bytes:
    words = ("dear", "shop", "attached", "please", "find", "the", "dress", "in", "red", "size")
    return " ".join(random.choice(words) for _ in range(random.randint(20, 200))).encode()


def _page(random: Random) -> bytes:
    return b"<!doctype html><html><body>" + _text(random) + b"</body></html>"


def _archive(random: Random) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("look.txt"), _text(random))
    return buffer.getvalue()


def _zeros(random: Random) -> bytes:
    return bytes(random.randint(100, 5000))


def _nothing(random: Random) -> bytes:
    return b""


def _random_bytes(random: Random) -> bytes:
    return b"\x01" + random.randbytes(3000)


def _headed(header: bytes) -> Callable[[Random], bytes]:
    return lambda random: header + random.randbytes(3000)


def _playlist(random: Random) -> bytes:
    return b"#EXTM3U\n" + _text(random)


def _png(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [(b"IHDR", header), *chunks, (b"IEND", b"")]
    return _PNG + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def _png_of_noise(random: Random) -> bytes:
    """All checksums right, and nothing that could be unpacked."""
    header = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    return _png(header, (b"IDAT", random.randbytes(300)))


def _png_bomb(random: Random) -> bytes:
    """A kilobyte that unpacks to gigabytes."""
    side = random.randint(20_000, 60_000)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return _png(header, (b"IDAT", zlib.compress(bytes(1 << 20))))


def _webp_bomb(random: Random) -> bytes:
    """An animation whose canvas its decoder would allocate at once."""
    canvas = struct.pack("<I", random.randint(14_000, 16_383))[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + canvas * 2
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _endless_video(random: Random) -> bytes:
    """Two frames, hours apart."""
    return _video(random, "webm", apart_s=random.randint(6, 90) * 3600)


def _without_pictures(random: Random) -> bytes:
    """A whole index, and noise where the frames were."""
    whole = _video(random, "mp4")
    start, end = whole.find(b"mdat") + 4, whole.rfind(b"moov") - 4
    return whole[:start] + random.randbytes(end - start) + whole[end:]


def _slow_video(random: Random) -> bytes:
    """Small in bytes and long to decode: one still of 1,920 x 1,080 for 20,000 frames."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", "matroska", options=_REPEATABLE) as output:
        stream = output.add_stream("libvpx", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
        still = np.full((1080, 1920, 3), random.randrange(256), np.uint8)
        packets = []
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(still, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 1000)
            packets += stream.encode(frame)
        contents = [bytes(packet) for packet in (*packets, *stream.encode())]
        for number in range(20_000):
            # What says "as before" can be said again.
            packet = av.Packet(contents[min(number, len(contents) - 1)])
            packet.stream, packet.time_base = stream, Fraction(1, 1000)
            packet.pts = packet.dts = number
            packet.is_keyframe = number == 0
            output.mux(packet)
    return buffer.getvalue()


def _heavy_picture(random: Random) -> bytes:
    """Few enough pixels, and half a gigabyte of colours: two, one of them transparent."""
    side = 12_000
    header = struct.pack(">IIBBBBB", side, side, 1, 3, 0, 0, 0)
    rows = zlib.compress(bytes(side * (1 + side // 8)), 1)
    return _png(header, (b"PLTE", random.randbytes(6)), (b"tRNS", b"\0"), (b"IDAT", rows))


_STARTS_LIKE = "not a (picture|video) that is read here: the file starts like "
_NO_INDEX = r"index \(moov atom\) is missing: the file is cut off"

KINDS: Sequence[Kind] = (
    Kind("cut", ".jpg", "damaged picture: image file is truncated", _cut("JPEG")),
    Kind("cut", ".png", "damaged picture: image file is truncated", _cut("PNG")),
    Kind("cut", ".webp", "damaged picture", _cut("WEBP")),
    Kind("cut", ".heic", "damaged picture: .*end of file", _cut("HEIF")),
    Kind("cut", ".mp4", _NO_INDEX, _cut("mp4")),
    Kind("cut", ".webm", "damaged video", _cut("webm")),
    Kind("text", ".jpg", _STARTS_LIKE + "text", _text),
    Kind("text", ".mp4", _STARTS_LIKE + "text", _text),
    Kind("page", ".png", _STARTS_LIKE + "a web page", _page),
    Kind("archive", ".jpg", _STARTS_LIKE + "a ZIP archive", _archive),
    Kind("archive", ".mov", _STARTS_LIKE + "a ZIP archive", _archive),
    Kind(
        "gzip", ".mp4", _STARTS_LIKE + "a gzip archive", lambda r: gzip.compress(_text(r), mtime=0)
    ),
    Kind("playlist", ".mp4", _STARTS_LIKE + "a playlist", _playlist),
    Kind("photoshop", ".jpg", _STARTS_LIKE + "a Photoshop file", _headed(b"8BPS")),
    Kind("video", ".jpg", _STARTS_LIKE + "an MP4 video", lambda r: _video(r, "mp4")),
    Kind("picture", ".mp4", _STARTS_LIKE + "a JPEG picture", lambda r: _picture(r, "JPEG")),
    Kind("empty", ".jpg", "not a (picture|video): the file is empty", _nothing),
    Kind("empty", ".mp4", "not a (picture|video): the file is empty", _nothing),
    Kind("zeros", ".png", _STARTS_LIKE + "zeros", _zeros),
    Kind("random", ".jpg", _STARTS_LIKE + "unknown bytes", _random_bytes),
    Kind("random", ".mkv", _STARTS_LIKE + "unknown bytes", _random_bytes),
    Kind("headed", ".jpg", "damaged picture", _headed(_JPEG)),
    Kind("headed", ".png", "damaged picture", _headed(_PNG)),
    Kind("headed", ".webp", "damaged picture", _headed(b"RIFF\0\x04\0\0WEBPVP8 ")),
    Kind("headed", ".mp4", _NO_INDEX, _headed(_MP4)),
    Kind("headed", ".mkv", "damaged video", _headed(_MATROSKA)),
    Kind("noise", ".png", "damaged picture: broken data stream", _png_of_noise),
    Kind("noise", ".mp4", "damaged video: not one frame can be decoded", _without_pictures),
    Kind("sound", ".mp4", "not a video: the file has sound but no picture", _sound),
    Kind("bomb", ".png", "pixels, more than max_pixels", _png_bomb),
    Kind("bomb", ".webp", "pixels, more than max_pixels", _webp_bomb),
    Kind("endless", ".webm", "s long, more than max_duration_s", _endless_video),
)
"""What ends in an error of the decoder."""

KILLERS: Sequence[Kind] = (
    Kind("slow", ".mkv", f"decoding took longer than {TIME_LIMIT_S} s", _slow_video),
    Kind("heavy", ".png", f"needs more than {MEMORY_LIMIT_MB} MiB of memory", _heavy_picture),
)
"""What ends in the death of the decoder's process, under the limits above."""

"""Pictures made for the tests, and their decoding in this process."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.picture import decode_picture

OPTIONS = DecodeOptions()
RED, BLUE, WHITE = (200, 30, 40), (20, 40, 180), (255, 255, 255)

pillow_heif.register_heif_opener()


def halves(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (0, size[1] // 2, *size))
    return image


def noisy(size: tuple[int, int] = (160, 120)) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


def decode(path: Path, options: DecodeOptions = OPTIONS) -> tuple[Decoded, Image.Image]:
    folder = path.parent / "frames"
    folder.mkdir(exist_ok=True)
    decoded = decode_picture(path, folder, options)
    image = Image.open(decoded.frames[0].path)
    image.load()
    return decoded, image


def near(image: Image.Image, at: tuple[float, float], colour: tuple[int, int, int]) -> bool:
    """Whether the pixel at a relative position has about this colour."""
    pixel = image.getpixel((int(at[0] * image.width), int(at[1] * image.height)))
    return bool(np.abs(np.subtract(pixel, colour)).max() <= 12)


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, rows: bytes, depth: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [
        png_chunk(b"IHDR", header),
        png_chunk(b"IDAT", zlib.compress(rows, 9)),
        png_chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

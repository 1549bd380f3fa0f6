"""Pictures: every format and colour mode gives one upright RGB frame, or a clear refusal."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from core.errors import DecoderDiedError, LimitExceededError, UndecodableError
from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.picture import decode_picture, probe_picture

OPTIONS = DecodeOptions()
RED, BLUE, WHITE = (200, 30, 40), (20, 40, 180), (255, 255, 255)

pillow_heif.register_heif_opener()


def halves(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (0, size[1] // 2, *size))
    return image


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


async def test_a_picture_becomes_its_single_frame(
    decoder: Decoder, tmp_path: Path, folder: Path
) -> None:
    halves((640, 480)).save(tmp_path / "a.jpg")

    decoded = await decoder.frames(tmp_path / "a.jpg", "picture", folder)

    (frame,) = decoded.frames
    assert (frame.time_ms, frame.timecode) == (0, "00:00:00.000")
    assert (frame.width, frame.height) == (640, 480)
    assert frame.path == folder / "000000000.jpg"
    assert decoded.notes == ()
    with Image.open(frame.path) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (640, 480))


async def test_a_probe_names_format_and_size(decoder: Decoder, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    halves((640, 480)).save(tmp_path / "a.jpg", exif=exif)

    probe = await decoder.probe(tmp_path / "a.jpg", "picture")

    assert (probe.kind, probe.format, probe.width, probe.height) == ("picture", "JPEG", 480, 640)


@pytest.mark.parametrize("extension", ["jpg", "jpeg", "png", "webp", "heic"])
def test_each_format_is_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    halves().save(path, "HEIF" if extension == "heic" else None)

    decoded, image = decode(path)

    assert image.size == (120, 80)
    assert near(image, (0.5, 0.2), RED)
    assert near(image, (0.5, 0.8), BLUE)
    assert decoded.notes == ()
    assert probe_picture(path, OPTIONS).width == 120


def test_the_bytes_decide_not_the_extension(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.jpg", "PNG")

    _, image = decode(tmp_path / "a.jpg")

    assert near(image, (0.5, 0.2), RED)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(
    tmp_path: Path, orientation: int, extension: str
) -> None:
    upright = halves()
    upright.paste(WHITE, (0, 0, 60, 40))
    stored = upright.transpose(_INVERSE[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{extension}", exif=exif, quality=95)

    _, image = decode(tmp_path / f"a.{extension}")

    assert image.size == (120, 80)
    assert near(image, (0.25, 0.25), WHITE)
    assert near(image, (0.75, 0.25), RED)
    assert near(image, (0.25, 0.75), BLUE)
    assert not image.getexif()


def test_a_rotated_heic_is_turned_once(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = halves().transpose(Image.Transpose.ROTATE_90)
    stored.save(tmp_path / "a.heic", "HEIF", exif=exif.tobytes())
    assert b"irot" in (tmp_path / "a.heic").read_bytes()

    _, image = decode(tmp_path / "a.heic")

    assert image.size == (120, 80)
    assert near(image, (0.5, 0.2), RED)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_is_passed_over(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff" * 40)

    _, image = decode(tmp_path / "a.jpg")

    assert image.size == (120, 80)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_each_png_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = Image.linear_gradient("L").resize((120, 80))
    if mode == "I;16":
        wide = np.asarray(grey).astype(np.uint16) * 257
        image = Image.fromarray(wide)
    else:
        image = grey.convert(mode)
    image.save(tmp_path / "a.png")

    _, frame = decode(tmp_path / "a.png")

    assert frame.mode == "RGB"
    values = np.asarray(frame)[..., 1].mean(axis=1)
    assert values[:8].mean() < 40
    assert values[-8:].mean() > 215
    assert abs(values.mean() - 127) < 8


def test_sixteen_bits_a_colour_are_read(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32768, 0) * 8 for _ in range(8))
    (tmp_path / "a.png").write_bytes(_png(8, 8, rows, depth=16))

    _, image = decode(tmp_path / "a.png")

    assert near(image, (0.5, 0.5), (255, 128, 0))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)

    _, image = decode(tmp_path / "a.jpg")

    assert near(image, (0.5, 0.5), (255, 0, 0))


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 64, 32))
    image.convert(mode).save(tmp_path / "a.png")

    _, frame = decode(tmp_path / "a.png")

    assert near(frame, (0.5, 0.2), RED)
    assert near(frame, (0.5, 0.9), WHITE)


def test_half_transparent_black_is_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64), (0, 0, 0, 128)).save(tmp_path / "a.webp", lossless=True)

    _, frame = decode(tmp_path / "a.webp")

    assert near(frame, (0.5, 0.5), (127, 127, 127))


def test_a_foreign_colour_profile_is_applied(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    foreign = swapped.replace("sRGB".encode("utf-16-be"), "BGRs".encode("utf-16-be"))
    picture = Image.new("RGB", (32, 32), RED)
    picture.save(tmp_path / "own.png", icc_profile=profile)
    picture.save(tmp_path / "foreign.png", icc_profile=foreign)
    picture.save(tmp_path / "bad.png", icc_profile=b"nonsense")

    assert near(decode(tmp_path / "own.png")[1], (0.5, 0.5), RED)
    assert near(decode(tmp_path / "foreign.png")[1], (0.5, 0.5), RED[::-1])
    assert near(decode(tmp_path / "bad.png")[1], (0.5, 0.5), RED)


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_large_picture_is_scaled_down_and_says_so(tmp_path: Path, extension: str) -> None:
    halves((3000, 2000)).save(tmp_path / f"a.{extension}")

    decoded, image = decode(tmp_path / f"a.{extension}")

    assert image.size == (2048, 1365)
    assert (decoded.frames[0].width, decoded.frames[0].height) == (2048, 1365)
    assert decoded.notes == ("scaled down from 3000x2000 to fit 2048 pixels",)
    assert near(image, (0.5, 0.2), RED)


@pytest.mark.parametrize("extension", ["png", "webp"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, extension: str) -> None:
    others = [Image.new("RGB", (120, 80), BLUE), Image.new("RGB", (120, 80), WHITE)]
    path = tmp_path / f"a.{extension}"
    Image.new("RGB", (120, 80), RED).save(path, save_all=True, append_images=others, duration=100)

    decoded, image = decode(path)

    assert near(image, (0.5, 0.5), RED)
    assert decoded.notes == ("first of 3 frames",)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "heic"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_picture_is_refused(tmp_path: Path, extension: str, share: float) -> None:
    whole = io.BytesIO()
    noisy().save(whole, {"jpg": "JPEG", "heic": "HEIF"}.get(extension, extension))
    path = tmp_path / f"a.{extension}"
    path.write_bytes(whole.getvalue()[: int(share * len(whole.getvalue()))])

    with pytest.raises(UndecodableError):
        decode(path)
    with pytest.raises(UndecodableError):
        probe_picture(path, OPTIONS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"Hello, this is a shopping list.\n" * 9, "starts like text"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "starts like a web page"),
        (b"GIF89a" + b"\0" * 50, "starts like a GIF picture"),
        (b"%PDF-1.7\n", "starts like a PDF document"),
        (b"\0" * 5000, "starts like zeros"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 50, "starts like an MP4 video"),
        (b"\x01\x02\x03\x04" * 20, "starts like unknown bytes"),
    ],
)
async def test_what_is_no_picture_is_refused_by_name(
    decoder: Decoder, tmp_path: Path, folder: Path, content: bytes, words: str
) -> None:
    (tmp_path / "a.jpg").write_bytes(content)

    with pytest.raises(UndecodableError, match=words):
        await decoder.frames(tmp_path / "a.jpg", "picture", folder)
    with pytest.raises(UndecodableError, match=words):
        await decoder.probe(tmp_path / "a.jpg", "picture")


def test_a_renamed_archive_is_refused_by_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.jpg", "w") as archive:
        archive.writestr("zeros", b"\0" * 1000)

    with pytest.raises(UndecodableError, match="starts like a ZIP archive"):
        decode(tmp_path / "a.jpg")


async def test_a_tiny_file_that_claims_to_be_huge_is_refused_unopened(
    decoder: Decoder, tmp_path: Path, folder: Path
) -> None:
    (tmp_path / "bomb.png").write_bytes(_png(60_000, 60_000, b"\0" * 1000))
    canvas = b"\x10\0\0\0" + (60_000).to_bytes(3, "little") * 2
    chunk = b"VP8X" + struct.pack("<I", len(canvas)) + canvas
    (tmp_path / "bomb.webp").write_bytes(b"RIFF" + struct.pack("<I", 22) + b"WEBP" + chunk)

    for name in ("bomb.png", "bomb.webp"):
        with pytest.raises(LimitExceededError, match=r"6000\dx6000\d pixels, more than max_pixels"):
            await decoder.frames(tmp_path / name, "picture", folder)
        with pytest.raises(LimitExceededError):
            await decoder.probe(tmp_path / name, "picture")


def test_a_well_packed_picture_within_the_limits_is_read(tmp_path: Path) -> None:
    rows = (b"\0" + b"\0" * 3 * 6000) * 6000
    (tmp_path / "a.png").write_bytes(_png(6000, 6000, rows))
    assert (tmp_path / "a.png").stat().st_size < 200_000

    _, image = decode(tmp_path / "a.png")

    assert image.size == (2048, 2048)


def test_a_hidden_flood_of_text_is_refused(tmp_path: Path) -> None:
    flood = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * (200 << 20)))
    whole = _png(8, 8, (b"\0" + b"\0" * 24) * 8)
    (tmp_path / "a.png").write_bytes(whole[:33] + flood + whole[33:])

    with pytest.raises(UndecodableError, match="damaged picture"):
        decode(tmp_path / "a.png")


def test_limits_name_the_setting_to_raise(tmp_path: Path) -> None:
    halves().save(tmp_path / "a.png")

    with pytest.raises(LimitExceededError, match="max_pixels = 100"):
        decode(tmp_path / "a.png", DecodeOptions(max_pixels=100))
    with pytest.raises(LimitExceededError, match="max_picture_bytes = 10"):
        decode(tmp_path / "a.png", DecodeOptions(max_picture_bytes=10))


async def test_a_missing_file_is_said_to_be_missing(decoder: Decoder, folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await decoder.frames(folder / "gone.jpg", "picture", folder)


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "heic"])
async def test_flipped_bits_never_do_more_than_refuse(
    decoder: Decoder, tmp_path: Path, folder: Path, extension: str
) -> None:
    whole = io.BytesIO()
    noisy().save(whole, {"jpg": "JPEG", "heic": "HEIF"}.get(extension, extension))
    dice = random.Random(extension)
    path = tmp_path / f"a.{extension}"

    for _ in range(40):
        data = bytearray(whole.getvalue())
        for _ in range(dice.choice([1, 3, 30])):
            # Half of the damage goes to the headers, where the decisions are.
            end = len(data) if dice.random() < 0.5 else min(400, len(data))
            data[dice.randrange(end)] ^= 1 << dice.randrange(8)
        path.write_bytes(data)
        try:
            await decoder.frames(path, "picture", folder)
        except (UndecodableError, LimitExceededError) as error:
            assert len(str(error)) > 10  # noqa: PT017
            assert "0x" not in str(error)  # noqa: PT017  # addresses differ from run to run


async def test_a_picture_that_needs_too_much_memory_fails_alone(
    tmp_path: Path, folder: Path
) -> None:
    Image.new("RGB", (9000, 9000)).save(tmp_path / "large.png", compress_level=1)
    halves().save(tmp_path / "small.png")

    async with DecoderPool(1, time_limit_s=60, memory_limit_bytes=200 << 20) as pool:
        decoder = Decoder(pool, OPTIONS)
        with pytest.raises(DecoderDiedError, match="more than 200 MiB of memory"):
            await decoder.frames(tmp_path / "large.png", "picture", folder)
        assert (await decoder.frames(tmp_path / "small.png", "picture", folder)).frames


async def test_a_child_for_pictures_loads_little(decoder: Decoder, pool: DecoderPool) -> None:
    await decoder.warm_up()

    loaded = await pool.run(partial(eval, "sorted(__import__('sys').modules)"))

    assert "PIL.Image" in loaded
    heavy = {"numpy", "cv2", "av", "scenedetect", "asyncio", "structlog", "pydantic", "infra"}
    assert heavy.isdisjoint(loaded)


def test_the_same_bytes_give_the_same_frame(tmp_path: Path) -> None:
    noisy((2500, 900)).save(tmp_path / "a.jpg")

    first = decode(tmp_path / "a.jpg")[0].frames[0].path.read_bytes()
    second = decode(tmp_path / "a.jpg")[0].frames[0].path.read_bytes()

    assert first == second


def noisy(size: tuple[int, int] = (160, 120)) -> Image.Image:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise)


_INVERSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width: int, height: int, rows: bytes, depth: int = 8) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows, 9)), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

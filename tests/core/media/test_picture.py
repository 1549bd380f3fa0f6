"""Pictures: every format and colour mode gives one upright RGB frame."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.picture import probe_picture
from core.media.probe import PICTURES
from core.media.requests import Job
from tests.core.media.pictures import BLUE, OPTIONS, RED, WHITE, decode, halves, near, noisy, png

_INVERSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


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


@pytest.mark.parametrize("extension", sorted(PICTURES))
def test_each_format_is_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a{extension}"
    halves().save(path, {".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}.get(extension))

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


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "avif", "tif"])
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
    (tmp_path / "a.png").write_bytes(png(8, 8, rows, depth=16))

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


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_turned_tiff_is_scaled_and_probed_upright(tmp_path: Path, orientation: int) -> None:
    upright = halves((300, 200))
    stored = upright.transpose(_INVERSE[6]) if orientation == 6 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.tif", exif=exif)

    _, image = decode(tmp_path / "a.tif", replace(OPTIONS, max_side=150))

    assert image.size == (150, 100)
    assert near(image, (0.5, 0.2), RED)
    probe = probe_picture(tmp_path / "a.tif", OPTIONS)
    assert (probe.width, probe.height) == (300, 200)


def test_of_a_tiff_the_first_page_counts(tmp_path: Path) -> None:
    other = Image.new("RGB", (120, 80), BLUE)
    Image.new("RGB", (120, 80), RED).save(tmp_path / "a.tif", save_all=True, append_images=[other])

    decoded, image = decode(tmp_path / "a.tif")

    assert near(image, (0.5, 0.5), RED)
    assert decoded.notes == ("first of 2 pages",)


@pytest.mark.parametrize("extension", ["png", "webp", "gif", "avif"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, extension: str) -> None:
    others = [Image.new("RGB", (120, 80), BLUE), Image.new("RGB", (120, 80), WHITE)]
    path = tmp_path / f"a.{extension}"
    Image.new("RGB", (120, 80), RED).save(path, save_all=True, append_images=others, duration=100)

    decoded, image = decode(path)

    assert near(image, (0.5, 0.5), RED)
    assert decoded.notes == ("first of 3 frames",)


async def test_a_child_for_pictures_loads_little(decoder: Decoder, pool: DecoderPool) -> None:
    await decoder.warm_up()

    loaded = await pool.run(Job("modules", list))

    assert "PIL.Image" in loaded
    heavy = {"numpy", "cv2", "av", "scenedetect", "asyncio", "structlog", "pydantic", "infra"}
    assert heavy.isdisjoint(loaded)


def test_the_same_bytes_give_the_same_frame(tmp_path: Path) -> None:
    noisy((2500, 900)).save(tmp_path / "a.jpg")

    first = decode(tmp_path / "a.jpg")[0].frames[0].path.read_bytes()
    second = decode(tmp_path / "a.jpg")[0].frames[0].path.read_bytes()

    assert first == second

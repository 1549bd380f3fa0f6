"""Decode a picture into its single frame. Runs in a child process only."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from core.errors import LimitExceededError, TaggingError, UndecodableError
from core.media.colour import Reading, read_as
from core.media.declared import declared
from core.media.decoded import Decoded
from core.media.jpeg import fitted, write_frame
from core.media.options import DecodeOptions
from core.media.picture_colour import deep_avif, deep_heic, in_srgb, without_profile
from core.media.probe import Probe, container

Image.MAX_IMAGE_PIXELS = None  # the limit here is an option, checked before anything is decoded

_ORIENTATION = 0x0112  # EXIF tag, values 1 to 8
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_REDUCING_GAP = 3.0  # decode or average down to 3 times the target first; unseen afterwards
# As sharp as bicubic when scaling down (Pillow's own comparison), in half of Lanczos' time.
_FILTER = Image.Resampling.HAMMING
_PROBE_SIDE = 64
_SERIES = frozenset({"PNG", "WEBP", "GIF", "AVIF", "TIFF"})


def decode_picture(path: Path, folder: Path, options: DecodeOptions) -> Decoded:
    """Write the picture's one frame: upright, RGB, on white, at most ``max_side``.

    Raises:
        UndecodableError: not a picture, or a damaged one.
        LimitExceededError: more pixels or bytes than allowed.
        OSError: it cannot be read, or the frame not written.
    """
    image, data = _open(path, options)
    notes = []
    width, height = image.size
    try:
        if (count := _animation(image)) > 1:
            notes.append(f"first of {count} {'pages' if image.format == 'TIFF' else 'frames'}")
        tags = declared(image, data)
        reading = None if tags is None else read_as(tags)
        image = _deep(image, data, options.max_side, reading) or _upright_rgb(
            image, options.max_side, reading
        )
    except (TaggingError, MemoryError):
        raise
    except Exception as error:
        raise UndecodableError(f"damaged picture: {_words(error)}") from error
    if max(width, height) > options.max_side:
        notes.append(f"scaled down from {width}x{height} to fit {options.max_side} pixels")
    notes += reading.notes if reading is not None else ()
    return Decoded("picture", (write_frame(image, folder, 0),), tuple(notes))


def probe_picture(path: Path, options: DecodeOptions) -> Probe:
    """Decode as coarsely as the format allows; raises as :func:`decode_picture` does."""
    image, _ = _open(path, options)
    width, height = image.size
    format_name = image.format or ""
    try:
        image.draft(None, (_PROBE_SIDE, _PROBE_SIDE)) if format_name == "JPEG" else None
        image.load()
        width, height = (width, height) if format_name == "JPEG" else image.size
        turned = _orientation(image) >= 5
    except MemoryError:
        raise
    except Exception as error:
        raise UndecodableError(f"damaged picture: {_words(error)}") from error
    return Probe("picture", format_name, *((height, width) if turned else (width, height)))


def _open(path: Path, options: DecodeOptions) -> tuple[Image.Image, bytes]:
    """The picture with only its header read, its size checked; and its file's bytes."""
    format_name = container(path, "picture")
    if path.stat().st_size > options.max_picture_bytes:
        raise LimitExceededError(
            f"the picture's file has {path.stat().st_size} bytes, "
            f"more than max_picture_bytes = {options.max_picture_bytes}"
        )
    data = path.read_bytes()
    if format_name == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    if format_name == "WEBP" and (size := _webp_canvas(data)):
        _check_size(*size, options)  # its decoder allocates the canvas on opening
    try:
        image = Image.open(io.BytesIO(data), formats=(format_name,))
    except MemoryError:
        raise
    except Exception as error:
        raise UndecodableError(f"damaged picture: {_words(error)}") from error
    _check_size(*image.size, options)
    return image, data


def _check_size(width: int, height: int, options: DecodeOptions) -> None:
    if width * height > options.max_pixels:
        raise LimitExceededError(
            f"the picture has {width}x{height} pixels, more than max_pixels = {options.max_pixels}"
            ": shrink it, or raise TAGGER_MEDIA__MAX_PIXELS"
        )


def _webp_canvas(data: bytes) -> tuple[int, int] | None:
    """Canvas of an extended WEBP (RFC 9649, section 2.7): 24 bits each, less one."""
    if data[12:16] != b"VP8X" or len(data) < 30:
        return None
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def _animation(image: Image.Image) -> int:
    """Frames of an animation or pages of a TIFF; other extras (previews, depth) don't count."""
    return getattr(image, "n_frames", 1) if image.format in _SERIES else 1


def _upright_rgb(image: Image.Image, max_side: int, reading: Reading | None) -> Image.Image:
    profile = image.info.get("icc_profile")
    target = fitted(*image.size, max_side)
    if image.format == "JPEG" and target != image.size:
        image.draft(None, (round(target[0] * _REDUCING_GAP), round(target[1] * _REDUCING_GAP)))
    stored = image.size
    image.load()
    if image.format == "TIFF" and image.size != stored:
        target = target[::-1]  # Pillow turns a TIFF on loading, and only a TIFF
    turn = _UPRIGHT.get(_orientation(image))
    image = _plain(image)
    if image.size != target:
        image = image.resize(target, _FILTER, reducing_gap=_REDUCING_GAP)
    image = _opaque(image)
    image = (
        without_profile(image, profile)
        if reading is None
        else in_srgb(image.convert("RGB"), reading)
    )
    return image.transpose(turn) if turn is not None else image


def _deep(
    image: Image.Image, data: bytes, max_side: int, reading: Reading | None
) -> Image.Image | None:
    """Tagged HDR or wide gamut from all of its bits, where the format's library gives them."""
    if reading is None or reading.is_srgb:
        return None
    target = fitted(*image.size, max_side)
    deep: Image.Image | None
    if image.format == "HEIF":
        deep = deep_heic(data, target, reading)
    elif image.format == "AVIF":
        deep = deep_avif(data, image.size, target)
    else:
        return None
    if deep is None:
        return None
    turn = _UPRIGHT.get(_orientation(image))
    return _opaque(deep) if turn is None else _opaque(deep).transpose(turn)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation; what a broken EXIF block says is nothing, not an error.

    Of a picture that was loaded: looking for a PNG's EXIF loads it, and a picture that failed to
    load once does so no second time, but shows black.
    """
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """8 bits a channel, no palette: RGB, RGBA, L, LA or CMYK, which may be resized."""
    if image.mode in {"I", "I;16", "I;16B", "I;16L", "I;16N"}:
        # 16 bits scaled to 8; Pillow's own conversion would clip everything above 255.
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in {"RGB", "RGBA", "L", "LA", "CMYK"}:
        return image
    return image.convert("RGBA" if image.mode in {"PA", "La", "RGBa"} else "RGB")


def _opaque(image: Image.Image) -> Image.Image:
    """Without alpha, on white, as a shop's page would show it."""
    if image.mode not in {"RGBA", "LA"}:
        return image
    image = image.convert("RGBA")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _words(error: Exception) -> str:
    """The same for the same bytes: Pillow's own words would name an address in memory."""
    if isinstance(error, UnidentifiedImageError):
        return "its header cannot be read"
    return str(error) or type(error).__name__

"""How a picture's RGB becomes sRGB: by its ICC profile, or by its tags. Child process only."""

from __future__ import annotations

import io
from itertools import product

from PIL import Image, ImageChops, ImageCms

from core.media.colour import Reading

_SAME = 2  # levels of 255; a profile that moves no colour further is sRGB's, whatever its name
_LEVELS = (0, 51, 102, 153, 204, 255)


def deep_heic(data: bytes, size: tuple[int, int], reading: Reading) -> Image.Image:
    """A HEIC's primary picture in sRGB, from 16 bits, scaled to width and height, upright.

    Pillow holds 8 bits a colour, which are too few for PQ. Raises ValueError or OSError.
    """
    import cv2
    import numpy as np
    from pillow_heif import open_heif

    from core.media.tonemap import to_srgb

    wide = np.asarray(open_heif(io.BytesIO(data), convert_hdr_to_8bit=False))
    if wide.shape[1::-1] != size:
        wide = cv2.resize(wide, size, interpolation=cv2.INTER_AREA)
    colours = Image.fromarray(to_srgb(wide[..., :3], reading.primaries, reading.transfer))
    if wide.shape[2] == 4:
        colours.putalpha(Image.fromarray((wide[..., 3] >> 8).astype(np.uint8)))
    return colours


def deep_avif(data: bytes, stored: tuple[int, int], size: tuple[int, int]) -> Image.Image | None:
    """The same of an AVIF, not turned; None where it is more than one coded picture.

    Args:
        stored: width and height that Pillow gives; a grid's tiles are smaller.
    """
    import av

    from core.media.frame_colour import frame_in_srgb, settle_matrix

    with av.open(io.BytesIO(data), "r", format="mov") as file:
        if len(file.streams.video) != 1:
            return None
        frame = next(file.decode(video=0))
    if (frame.width, frame.height) != stored:
        return None
    settle_matrix(frame)
    return Image.fromarray(frame_in_srgb(frame, size))


def in_srgb(image: Image.Image, reading: Reading) -> Image.Image:
    """SDR in sRGB, from RGB of any primaries and transfer."""
    if reading.is_srgb:
        return image
    import numpy as np  # heavy, and few pictures need it

    from core.media.tonemap import to_srgb

    return Image.fromarray(to_srgb(np.asarray(image), reading.primaries, reading.transfer))


def without_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB. A profile that cannot be applied is passed over: its colours are close."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            transform = ImageCms.buildTransform(
                source, ImageCms.createProfile("sRGB"), image.mode, "RGB"
            )
            if image.mode == "RGB" and _changes_nothing(transform):
                return image
            converted = ImageCms.applyTransform(image, transform)
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Measured, for names lie: "Display P3 Gamut with sRGB Transfer" is not sRGB."""
    patches = Image.new("RGB", (len(_LEVELS) ** 3, 1))
    patches.putdata(list(product(_LEVELS, repeat=3)))
    changed = ImageCms.applyTransform(patches, transform)
    if changed is None:
        return False
    moved = ImageChops.difference(patches, changed).tobytes()
    return max(moved) <= _SAME

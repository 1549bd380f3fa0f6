"""The colour tags that a picture's file declares, wherever its format keeps them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

from core.media.colour import HDR, UNSPECIFIED, Tags

_PNG_SIGNATURE = 8
_ICC_HEADER = 128


def declared(image: Image.Image, data: bytes) -> Tags | None:
    """Of an opened picture and its file's bytes; None where it has a profile or says nothing.

    An ICC profile is more exact than tags, but has no words for HDR: where both are there, tags
    count that name HLG or PQ.
    """
    profile = image.info.get("icc_profile")
    try:
        tags = _tags(image, data)
        if profile and (tags is None or tags.transfer not in HDR):
            tags = _icc_tags(profile)
            return tags if tags is not None and tags.transfer in HDR else None
    except (struct.error, IndexError):
        return None  # broken tags say nothing; whether the picture is broken is its decoder's word
    return tags


def _tags(image: Image.Image, data: bytes) -> Tags | None:
    if image.format == "PNG":
        return _png_tags(data)
    if image.format == "HEIF":
        nclx = image.info.get("nclx_profile")
        deep = image.info.get("bit_depth", 8) > 8
        if not nclx:
            return Tags(deep=deep)
        return Tags(nclx["color_primaries"], nclx["transfer_characteristics"], deep)
    return _avif_tags(data) if image.format == "AVIF" else None


def _png_tags(data: bytes) -> Tags | None:
    """The cICP chunk (PNG, third edition, section 11.3.2.6), which stands before the pixels."""
    at = _PNG_SIGNATURE
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == b"cICP" and size == 4:
            return Tags(data[at + 8], data[at + 9])
        if name == b"IDAT":
            return None
        at += 12 + size
    return None


def _icc_tags(profile: bytes) -> Tags | None:
    """The cicp tag (ICC.1:2022, section 9.2.17)."""
    (count,) = struct.unpack_from(">I", profile, _ICC_HEADER)
    for number in range(min(count, 256)):
        name, at, _ = struct.unpack_from(">4sII", profile, _ICC_HEADER + 4 + 12 * number)
        if name == b"cicp":
            return Tags(profile[at + 8], profile[at + 9])
    return None


def _avif_tags(data: bytes) -> Tags:
    """The ``nclx`` colour property of the primary item (ISO/IEC 23008-12, 14496-12)."""
    primaries = transfer = UNSPECIFIED
    deep = False
    for name, body in _primary_properties(data):
        if name == b"colr" and body[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", body, 4)
        elif name == b"pixi":
            deep = any(bits > 8 for bits in body[5:])
    return Tags(primaries, transfer, deep)


def _primary_properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    meta = dict(_boxes(dict(_boxes(data)).get(b"meta", b"")[4:]))
    if b"pitm" not in meta or b"iprp" not in meta:
        return
    wide = meta[b"pitm"][0] > 0  # its version
    (primary,) = struct.unpack_from(">I" if wide else ">H", meta[b"pitm"], 4)
    held = dict(_boxes(meta[b"iprp"]))
    properties = list(_boxes(held.get(b"ipco", b"")))
    for index in _associated(held.get(b"ipma", b""), primary):
        if 0 < index <= len(properties):
            yield properties[index - 1]


def _associated(ipma: bytes, item: int) -> list[int]:
    """Numbers, from 1, of the properties that an item has."""
    version, flags, count = ipma[0], ipma[3], struct.unpack_from(">I", ipma, 4)[0]
    at = 8
    for _ in range(count):
        (entry,) = struct.unpack_from(">H" if version < 1 else ">I", ipma, at)
        at += 2 if version < 1 else 4
        held, at = ipma[at], at + 1
        width, form, mask = (2, f">{held}H", 0x7FFF) if flags & 1 else (1, f">{held}B", 0x7F)
        indices = struct.unpack_from(form, ipma, at)
        at += width * held
        if entry == item:
            return [index & mask for index in indices]
    return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each box (ISO/IEC 14496-12, section 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            return
        yield name, data[at + head : at + size]
        at += size

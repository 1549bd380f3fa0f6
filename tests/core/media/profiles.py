"""ICC profiles made for the tests."""

from __future__ import annotations

import struct

# Colorants of Display P3, adapted to D50, as its profiles give them.
_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
_D50 = (0.9642, 1.0, 0.8249)


def display_p3(name: str = "Display P3", cicp: bytes = b"") -> bytes:
    """A matrix profile, version 4; ``cicp`` are the four bytes of such a tag."""
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": _xyz(_D50),
        **{key: _xyz(value) for key, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), _P3, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _SRGB_CURVE),
    }
    if cicp:
        tags[b"cicp"] = b"cicp\0\0\0\0" + cicp
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        padded = value + b"\0" * (-len(value) % 4)
        table += struct.pack(">4sII", key, at + len(body), len(value))
        body += padded
    header = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"none", 0x04000000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + b"\0" * 28
    header += b"".join(_fixed(value) for value in _D50)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in values)


def _text(words: str) -> bytes:
    coded = words.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded


_SRGB_CURVE = (
    b"para\0\0\0\0"
    + struct.pack(">HH", 3, 0)
    + b"".join(_fixed(value) for value in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)

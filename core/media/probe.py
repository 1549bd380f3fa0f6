"""What kind of medium a file is: by its name, by its first bytes, and by trying to decode it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from core.errors import UndecodableError

if TYPE_CHECKING:  # a child imports this, and has no need of the events' models
    from core.events import Kind

PICTURES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
        *(".heic", ".heif", ".hif", ".avif"),
    }
)
VIDEOS = frozenset(
    {
        *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm"),
        *(".avi", ".mpg", ".mpeg", ".mts", ".m2ts"),
    }
)
READ = {
    "picture": "JPEG, PNG, WEBP, HEIC, AVIF, GIF, TIFF and BMP",
    "video": "MP4, MOV, 3GP, MKV, WEBM, AVI, MPEG and MTS",
}
SNIFF_BYTES = 512

_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_BRANDS = {
    **dict.fromkeys(_HEIC, "a HEIC picture"),
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"qt  ": "a MOV video",
    b"M4A ": "an M4A sound file",
    b"crx ": "a Canon raw picture",
}
# Brands of the container (ISO/IEC 23008-12); what codes the picture stands among the compatible.
_ANY_CODEC = frozenset({b"mif1", b"mif2", b"msf1", b"miaf", b"1pic"})
_MP4_ATOMS = frozenset({b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\x1a\x45\xdf\xa3", "a Matroska video"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"II+\x00", "a TIFF picture"),
    (b"MM\x00+", "a TIFF picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"8BPS", "a Photoshop file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"FLV", "an FLV video"),
    (b"\x30\x26\xb2\x75", "a WMV video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"\x00\x00\x01\xb3", "a bare MPEG video"),
    (b"ID3", "an MP3 sound file"),
    (b"OggS", "an Ogg file"),
    (b"fLaC", "a FLAC sound file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#EXTM3U", "a playlist"),
)
_RIFF = {b"WEBP": "a WEBP picture", b"AVI ": "an AVI video", b"WAVE": "a WAV sound file"}
_PACKETS = ((0, 188), (4, 192))  # of transport streams: where the first begins, and their size
_TRANSPORT = "an MPEG-TS video"
_FORMATS = {
    "a JPEG picture": "JPEG",
    "a PNG picture": "PNG",
    "a WEBP picture": "WEBP",
    "a HEIC picture": "HEIF",
    "an AVIF picture": "AVIF",
    "a GIF picture": "GIF",
    "a TIFF picture": "TIFF",
    "a BMP picture": "BMP",
    "an MP4 video": "mov",
    "a MOV video": "mov",
    "a Matroska video": "matroska",
    "an AVI video": "avi",
    "an MPEG video": "mpeg",
    "a bare MPEG video": "mpegvideo",
    _TRANSPORT: "mpegts",
}


@dataclass(frozen=True, slots=True)
class Probe:
    """A medium that decodes. ``width`` and ``height`` in pixels, as it is meant to be seen."""

    kind: Kind
    format: str
    width: int
    height: int


def kind_of(filename: str | PurePath) -> Kind | None:
    """The kind that a name's extension promises, in any case; None for what is not read here."""
    extension = PurePath(filename).suffix.lower()
    if extension in PICTURES:
        return "picture"
    return "video" if extension in VIDEOS else None


def sniff(head: bytes) -> str:
    """What a file's first bytes look like, in words: ``a ZIP archive``, ``text``."""
    if not head.strip(b"\0"):
        return "zeros" if head else "nothing"
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "a RIFF file")
    if head[4:8] == b"ftyp":
        return _branded(head)
    if head[4:8] in _MP4_ATOMS:
        return "a MOV video"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    for first, size in _PACKETS:
        if len(head) > first + size and set(head[first::size]) == {0x47}:
            return _TRANSPORT
    if all(byte in b"\t\r\n\f" or 32 <= byte < 127 or byte >= 128 for byte in head):
        start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        return "a web page" if start.startswith((b"<!doctype html", b"<html")) else "text"
    return "unknown bytes"


def _branded(head: bytes) -> str:
    """By the ``ftyp`` box (ISO/IEC 14496-12, section 4.3): major brand, then compatible ones."""
    length = int.from_bytes(head[:4], "big")
    brands = [head[at : at + 4] for at in range(16, min(length, len(head)), 4)]
    if head[8:12] not in _ANY_CODEC:
        return _BRANDS.get(head[8:12], "an MP4 video")
    # AVIF's are its own; HEIC is what such a container holds by custom.
    return "an AVIF picture" if {b"avif", b"avis"} & set(brands) else "a HEIC picture"


def container(path: Path, kind: Kind) -> str:
    """The decoder's name of the file's format, from its bytes alone.

    Decoders are told what to expect and try nothing else: a playlist that calls itself a video
    would otherwise make them open whatever it names.

    Raises:
        UndecodableError: the file is empty or of no format that is read as this kind.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    if not head:
        raise UndecodableError(f"not a {kind}: the file is empty")
    found = sniff(head)
    if found not in _FORMATS or not found.endswith(kind):
        raise UndecodableError(
            f"not a {kind} that is read here: the file starts like {found}; read are {READ[kind]}"
        )
    return _FORMATS[found]

"""Names and first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.blobs.content_types import content_type_of
from core.errors import UndecodableError
from core.media.probe import PICTURES, VIDEOS, container, kind_of, sniff


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jpg", "picture"),
        ("A.JPEG", "picture"),
        ("dir.mp4/a.png", "picture"),
        ("a.b.webp", "picture"),
        ("IMG_1.HEIC", "picture"),
        ("a.mp4", "video"),
        ("a.MOV", "video"),
        ("a.mkv", "video"),
        ("a.webm", "video"),
        *((f"a.{ending}", "picture") for ending in ("jfif", "jpe", "heif", "hif", "avif")),
        *((f"a.{ending}", "picture") for ending in ("GIF", "tif", "TIFF", "bmp")),
        *((f"a.{ending}", "video") for ending in ("m4v", "AVI", "3gp", "MTS", "m2ts", "mpg")),
        ("a.psd", None),
        ("a.mp4.part", None),
        ("jpg", None),
        (".jpg", None),
        ("", None),
    ],
)
def test_the_extension_promises_a_kind(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind
    assert kind_of(Path(name)) == kind


def test_no_extension_promises_two_kinds() -> None:
    assert not PICTURES & VIDEOS


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"", "nothing"),
        (b"\0" * 64, "zeros"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "a WEBP picture"),
        (b"\0\0\0\x20ftypheic", "a HEIC picture"),
        (b"\0\0\0\x20ftypavif", "an AVIF picture"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "an AVIF picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypcrx \0\0\0\0crx isom", "a Canon raw picture"),
        (b"\0\0\0\x18ftyp3gp4\0\0\0\0isom3gp4", "an MP4 video"),
        ((b"\x47" + bytes(187)) * 2 + b"\x47", "an MPEG-TS video"),
        ((bytes(4) + b"\x47" + bytes(187)) * 2, "an MPEG-TS video"),
        (b"G" * 4, "text"),
        (b"\0\0\0\x20ftypqt  ", "a MOV video"),
        (b"\0\0\0\x20ftypmp42", "an MP4 video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "a MOV video"),
        (b"\x1a\x45\xdf\xa3\x01", "a Matroska video"),
        (b"PK\x03\x04\x14", "a ZIP archive"),
        ("Grüße aus Köln".encode(), "text"),
        (b"\xef\xbb\xbf  <HTML>", "a web page"),
        (b"\x01\x02\x03", "unknown bytes"),
    ],
)
def test_first_bytes_are_named_in_words(head: bytes, words: str) -> None:
    assert sniff(head) == words


def test_a_video_among_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x20ftypmp42" + b"\0" * 20)

    with pytest.raises(UndecodableError, match="not a picture.*starts like an MP4 video"):
        container(tmp_path / "a.jpg", "picture")
    assert container(tmp_path / "a.jpg", "video") == "mov"


def test_a_refusal_names_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"%PDF-1.7")

    with pytest.raises(UndecodableError, match="read are JPEG, PNG, WEBP, HEIC, AVIF, GIF"):
        container(tmp_path / "a.jpg", "picture")
    with pytest.raises(UndecodableError, match="read are MP4, MOV, 3GP, MKV, WEBM, AVI"):
        container(tmp_path / "a.jpg", "video")


def test_every_extension_has_its_content_type() -> None:
    for extension in PICTURES:
        assert content_type_of(f"a{extension}").startswith("image/")
    for extension in VIDEOS:
        assert content_type_of(f"a{extension}").startswith("video/")

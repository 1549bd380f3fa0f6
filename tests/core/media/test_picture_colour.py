"""Pictures of any transfer and primaries show the same look, whichever way they say so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pillow_heif
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from core.errors import UndecodableError
from core.media.options import DecodeOptions
from tests.core.media.looks import HLG, HLG_CAMERA, P3, PQ, SDR, Carriage, coded
from tests.core.media.pictures import decode, png, png_chunk
from tests.core.media.profiles import display_p3
from tests.core.media.test_video_colour import patches, tolerance

_CARRIAGES = {
    "sdr": SDR,
    "p3": P3,
    "hlg": HLG,
    "hlg-camera": HLG_CAMERA,
    "hlg-full": replace(HLG, range=2),
    "pq": PQ,
    "pq-full": replace(PQ, range=2),
    "sdr-2020": Carriage(9, 14, 9, 1, 10),
}
_ANDROID = "Display P3 Gamut with sRGB Transfer"


@pytest.mark.parametrize("name", _CARRIAGES)
def test_a_heic_is_read_by_its_tags(tmp_path: Path, name: str) -> None:
    _heic(tmp_path / "a.heic", _CARRIAGES[name])

    notes = _check(tmp_path / "a.heic", 12, _CARRIAGES[name])

    assert notes == ()


@pytest.mark.parametrize("name", _CARRIAGES)
def test_an_avif_is_read_by_its_tags(tmp_path: Path, name: str) -> None:
    _avif(tmp_path / "a.avif", _CARRIAGES[name])

    # Pillow's library for AVIF takes colours of limited range a little paler than they are.
    notes = _check(tmp_path / "a.avif", 12 if name != "sdr" else 16, _CARRIAGES[name])

    assert notes == ()


@pytest.mark.parametrize("name", ["p3", "hlg", "pq"])
def test_a_png_is_read_by_its_cicp_chunk(tmp_path: Path, name: str) -> None:
    carriage = _CARRIAGES[name]
    code = np.rint(np.clip(coded(patches(), carriage), 0, 1) * 65535).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in code)
    data = png(code.shape[1], code.shape[0], rows, depth=16)
    chunk = png_chunk(b"cICP", bytes([carriage.primaries, carriage.transfer, 0, 1]))
    (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])

    assert _check(tmp_path / "a.png", 8, carriage) == ()


@pytest.mark.parametrize("extension", ["jpg", "png", "webp", "heic", "avif"])
@pytest.mark.parametrize("name", ["Display P3", _ANDROID])
def test_display_p3_is_told_by_what_a_profile_does(
    tmp_path: Path, name: str, extension: str
) -> None:
    stored = Image.fromarray(np.rint(coded(patches(), P3) * 255).astype(np.uint8))
    kind = {"heic": "HEIF"}.get(extension)
    stored.save(tmp_path / f"a.{extension}", kind, quality=95, icc_profile=display_p3(name))

    assert _check(tmp_path / f"a.{extension}", 16) == ()


@pytest.mark.parametrize("angle", [90, 270])
def test_an_hdr_heic_is_turned_once(tmp_path: Path, angle: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = {90: 6, 270: 8}[angle]
    _heic(tmp_path / "a.heic", PQ, angle // 90, exif=exif.tobytes())
    assert b"irot" in (tmp_path / "a.heic").read_bytes()

    assert _check(tmp_path / "a.heic", 8) == ()


def test_of_several_hdr_pictures_in_a_heic_the_primary_is_read(tmp_path: Path) -> None:
    code = np.rint(coded(patches(), PQ) * 65535).astype(np.uint16)
    height, width = code.shape[:2]
    images = pillow_heif.from_bytes(
        mode="RGB;16", size=(64, 64), data=np.zeros((64, 64, 3), np.uint16).tobytes()
    )
    images.add_frombytes(mode="RGB;16", size=(width, height), data=code.tobytes())
    images.save(
        tmp_path / "a.heic",
        primary_index=1,
        quality=95,
        color_primaries=9,
        transfer_characteristics=16,
        matrix_coefficients=9,
        full_range_flag=0,
    )

    assert _check(tmp_path / "a.heic", 8) == ()


def test_an_mpo_shows_its_first_picture_by_its_profile(tmp_path: Path) -> None:
    stored = Image.fromarray(np.rint(coded(patches(), P3) * 255).astype(np.uint8))
    other = Image.new("RGB", (60, 40), "red")
    stored.save(
        tmp_path / "a.jpg",
        "MPO",
        quality=95,
        icc_profile=display_p3(),
        save_all=True,
        append_images=[other],
    )

    assert _check(tmp_path / "a.jpg", 16) == ()


def test_an_hdr_picture_is_scaled_down(tmp_path: Path) -> None:
    _heic(tmp_path / "a.heic", PQ)
    _avif(tmp_path / "a.avif", PQ)

    for name in ("a.heic", "a.avif"):
        decoded, image = decode(tmp_path / name, DecodeOptions(max_side=120))
        assert image.size == (120, 80)
        assert decoded.notes == ("scaled down from 240x160 to fit 120 pixels",)


@pytest.mark.parametrize("carriage", [HLG, PQ], ids=["hlg", "pq"])
def test_a_profile_that_names_hdr_is_not_applied_as_sdr(tmp_path: Path, carriage: Carriage) -> None:
    stored = Image.fromarray(np.rint(coded(patches(), carriage) * 255).astype(np.uint8))
    cicp = bytes([carriage.primaries, carriage.transfer, 0, 1])
    stored.save(tmp_path / "a.png", icc_profile=display_p3(cicp=cicp))

    assert _check(tmp_path / "a.png", 12, carriage) == ()


def test_deep_colour_without_a_transfer_is_noted(tmp_path: Path) -> None:
    _heic(tmp_path / "a.heic", Carriage(2, 2, 6, 2, 10))

    (note,) = decode(tmp_path / "a.heic")[0].notes

    assert "does not say its colour transfer" in note


@pytest.mark.parametrize("cut", range(20, 300, 23))
def test_broken_tags_end_nothing(tmp_path: Path, cut: int) -> None:
    _avif(tmp_path / "a.avif", PQ)
    data = bytearray((tmp_path / "a.avif").read_bytes())
    begin = data.index(b"iprp")
    data[begin + cut // 8 : begin + cut // 8 + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "b.avif").write_bytes(data)

    with suppress(UndecodableError):
        decode(tmp_path / "b.avif")


def _check(path: Path, most: int, carriage: Carriage = SDR, mean: int = 3) -> tuple[str, ...]:
    decoded, image = decode(path)
    pixels = np.asarray(image)[20::40, 20::40].astype(int)
    wanted = patches()[20::40, 20::40]
    off = np.abs(pixels - wanted)
    if carriage.transfer == 18:
        most, mean = tolerance(carriage)
    assert off.max() <= most, np.hstack([wanted.reshape(-1, 3), pixels.reshape(-1, 3)])
    assert off.mean() < mean
    return decoded.notes


def _heic(path: Path, carriage: Carriage, turns: int = 0, **more: bytes) -> None:
    code = np.rot90(np.clip(coded(patches(), carriage), 0, 1), turns)
    deep = carriage.bits > 8
    data = np.rint(code * (65535 if deep else 255)).astype(np.uint16 if deep else np.uint8)
    height, width = data.shape[:2]
    mode = "RGB;16" if deep else "RGB"
    pillow_heif.from_bytes(mode=mode, size=(width, height), data=data.tobytes()).save(
        path,
        quality=95,
        color_primaries=carriage.primaries,
        transfer_characteristics=carriage.transfer,
        matrix_coefficients=carriage.matrix,
        full_range_flag=int(carriage.range == 2),
        **more,
    )


def _avif(path: Path, carriage: Carriage) -> None:
    rgb48 = np.rint(np.clip(coded(patches(), carriage), 0, 1) * 65535).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(rgb48, format="rgb48le").reformat(
        format="yuv420p10le" if carriage.bits > 8 else "yuv420p",
        dst_colorspace=Colorspace.BT2020 if carriage.matrix == 9 else Colorspace.ITU709,
        dst_color_range=ColorRange(carriage.range),
    )
    with av.open(str(path), "w", format="avif") as output:
        stream = output.add_stream("libsvtav1", rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = rgb48.shape[:2]
        stream.pix_fmt = frame.format.name
        stream.options = {"crf": "1"}
        context = stream.codec_context
        for target in (context, frame):
            target.color_primaries, target.color_trc = carriage.primaries, carriage.transfer
            target.colorspace, target.color_range = carriage.matrix, carriage.range
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode())

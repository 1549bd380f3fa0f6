"""Videos of any transfer, primaries, matrix and range show the same look."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.core.media.clips import Pixels, decode
from tests.core.media.looks import (
    HLG,
    HLG_CAMERA,
    P3,
    PQ,
    SDR,
    Carriage,
    coded,
    write_light,
    write_look,
)

CARRIAGES = {
    "sdr": SDR,
    "sdr-full": replace(SDR, range=2),
    "bt601": Carriage(6, 6, 6),
    "bt601-full": Carriage(5, 6, 5, 2),
    "sdr-10": replace(SDR, bits=10),
    "sdr-2020": Carriage(9, 14, 9, 1, 10),
    "p3": P3,
    "p3-full": replace(P3, range=2),
    "hlg": HLG,
    "hlg-camera": HLG_CAMERA,
    "hlg-full": replace(HLG, range=2),
    "pq": PQ,
    "pq-full": replace(PQ, range=2),
    "pq-p3": Carriage(12, 16, 1, 1, 10),
}


def patches() -> Pixels:
    """``(160, 240, 3)``: black, greys, white and colours of every hue, in squares of 40 pixels."""
    colours = [
        *((0, 0, 0), (64, 64, 64), (128, 128, 128), (200, 200, 200), (255, 255, 255)),
        *((200, 30, 40), (40, 160, 60), (20, 40, 180), (230, 200, 60), (60, 180, 190)),
        *((150, 50, 170), (90, 60, 40), (235, 190, 170), (20, 30, 50), (255, 0, 0)),
        *((0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)),
        *((240, 240, 230), (30, 60, 150), (180, 30, 50), (100, 140, 90)),
    ]
    squares = np.array(colours, np.uint8).reshape(4, 6, 3)
    return np.asarray(np.repeat(np.repeat(squares, 40, 0), 40, 1))


def tolerance(carriage: Carriage) -> tuple[int, int]:
    """Greatest and mean difference, in levels: HLG is read between its two ways of being made."""
    return (60, 9) if carriage.transfer == 18 else (8, 2)


def shown(path: Path) -> tuple[Pixels, tuple[str, ...]]:
    """The middles of the squares, as decoded, and the notes."""
    decoded = decode(path)
    with Image.open(decoded.frames[0].path) as image:
        return np.asarray(image)[20::40, 20::40], decoded.notes


@pytest.mark.parametrize("name", CARRIAGES)
def test_the_same_colours_come_out(tmp_path: Path, name: str) -> None:
    clip = write_look(tmp_path / "a.mkv", patches(), CARRIAGES[name])
    code = coded(patches(), CARRIAGES[name])[20::40, 20::40]
    fits = ((code > -0.002) & (code < 1.002)).all(axis=-1)  # BT.601's gamut is the smaller one

    pixels, notes = shown(clip)

    wanted = patches()[20::40, 20::40]
    off = np.abs(pixels.astype(int) - wanted)[fits]
    most, mean = tolerance(CARRIAGES[name])
    assert off.max() <= most, np.hstack([wanted[fits], pixels[fits]])
    assert off.mean() < mean
    assert fits.sum() >= 14
    assert notes == ()


@pytest.mark.parametrize("carriage", [HLG, PQ], ids=["hlg", "pq"])
def test_light_above_reference_white_rolls_off(tmp_path: Path, carriage: Carriage) -> None:
    # Grey and orange in linear light, from reference white up to 800 cd/m2.
    light = np.linspace(1, 4, 16)[:, np.newaxis] * np.ones(16)
    grey = np.repeat(light[..., np.newaxis], 3, axis=-1)
    orange = grey * (1.0, 0.3, 0.05)
    ramp = np.kron(np.hstack([grey, orange]), np.ones((8, 8, 1)))
    clip = write_light(tmp_path / "a.mkv", ramp, carriage)

    with Image.open(decode(clip).frames[0].path) as image:
        pixels = np.asarray(image).astype(int)[4::8]

    assert pixels[:, 64].min() >= 250
    red, green, blue = pixels[:, 192].T
    assert red.min() >= 250
    assert (np.diff(green) >= -2).all()
    assert (np.diff(blue) >= -2).all()
    assert abs(green[0] - 149) <= 12
    assert (green > blue).all()
    assert blue[-1] < 220


def test_the_matrix_of_untagged_hdr_is_that_of_bt2020(tmp_path: Path) -> None:
    clip = write_look(tmp_path / "a.mkv", patches(), replace(PQ, matrix=2))

    pixels, _ = shown(clip)

    assert np.abs(pixels.astype(int) - patches()[20::40, 20::40]).max() <= 8


@pytest.mark.parametrize(
    ("carriage", "note"),
    [
        (Carriage(2, 2, 2, 0, 10), "does not say its colour transfer"),
        (Carriage(9, 2, 9, 1, 10), "does not say its colour transfer"),
        (Carriage(1, 9, 1), "its colour transfer 9 is not known here"),
        (Carriage(2, 18, 9, 1, 10), "does not say its colour primaries; read as BT.2020"),
        (Carriage(10, 1, 1), "its colour primaries 10 are not known here; read as BT.709"),
        (Carriage(9, 16, 14, 1, 10), "its colour matrix 14 is not known here"),
        (Carriage(9, 14, 10, 1, 10), "its colour matrix 10 is not known here"),
    ],
)
def test_what_cannot_be_told_is_noted(tmp_path: Path, carriage: Carriage, note: str) -> None:
    clip = write_look(tmp_path / "a.mkv", patches(), carriage)

    _, notes = shown(clip)

    assert len(notes) == 1
    assert note in notes[0]


def test_plain_untagged_video_needs_no_note(tmp_path: Path) -> None:
    clip = write_look(tmp_path / "a.mkv", patches(), Carriage(2, 2, 2, 0))

    assert shown(clip)[1] == ()

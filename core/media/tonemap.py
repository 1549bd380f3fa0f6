"""Coded RGB of any transfer and primaries as SDR sRGB: tables, one matrix, and a roll-off.

Transfers: IEC 61966-2-1 (sRGB), SMPTE ST 2084 (PQ), and HLG of Recommendation ITU-R BT.2100. SDR
white is HDR reference white (Report ITU-R BT.2408): 203 cd/m2, in HLG a signal of 75%. So an SDR
look carried in HDR comes out as it went in.

HLG carries the scene's light, and its look depends on a system gamma: 1.2 on the nominal display of
1000 cd/m2, less on darker ones. BT.2408 knows two ways from SDR: by the scene, with none, as a
camera that records both would; and by the nominal display. A file does not tell which was meant;
1.1, BT.2100's value for 580 cd/m2, keeps looks of either kind within some 8 levels of 255.

SDR video is read with sRGB's curve, as browsers and players on computers show it, whichever of
the near equal camera curves it is tagged with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from core.media.colour import BT709, HDR, HLG, PQ, PRIMARIES, SRGB

_Light = npt.NDArray[np.float32]

_REFERENCE_WHITE = 203.0  # cd/m2
_HLG_GAMMA = 1.1
_HLG_WHITE = 0.265  # scene light of reference white
_PQ_PEAK = 10_000.0
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_STRIP = 1 << 18  # pixels converted at a time; bounds memory, not the outcome
_STEPS = 65535


def to_srgb(pixels: npt.NDArray[Any], primaries: int, transfer: int) -> npt.NDArray[np.uint8]:
    """``(h, w, 3)`` sRGB from RGB in uint8 or uint16, full range, coded as H.273 says.

    Light up to reference white comes out as it is. Above, a colour keeps its hue and loses
    saturation, towards white, which is the brightest. Colours out of sRGB's gamut are clipped,
    as relative colorimetry does.
    """
    table = _light(transfer, pixels.dtype.itemsize)
    matrix = _matrix(primaries).astype(np.float32)
    luminance = _to_xyz(primaries)[1].astype(np.float32)
    codes = _srgb_codes()
    out = np.empty(pixels.shape, np.uint8)
    rows = max(1, _STRIP // max(1, pixels.shape[1]))
    for top in range(0, pixels.shape[0], rows):
        light = table[pixels[top : top + rows]]
        if transfer == HLG:
            scene = np.maximum(light @ luminance, 1e-6)
            light *= np.power(scene, _HLG_GAMMA - 1)[..., np.newaxis]
        light = np.maximum(cv2.transform(light, matrix), 0)
        if transfer in HDR:
            _roll_off(light)
        out[top : top + rows] = codes[(np.minimum(light, 1) * _STEPS + 0.5).astype(np.uint16)]
    return out


def _roll_off(light: _Light) -> None:
    """In place: what is brighter than white in a channel is scaled down, and mixed with white.

    The share of white, ``((m - 1) / m)²`` for a largest channel of ``m``, begins unnoticeably: a
    saturated colour of reference white's level, which rounding lifts above it, keeps its zeros.
    """
    bright = light.max(axis=-1) > 1
    colours = light[bright]
    if colours.size:
        largest = colours.max(axis=-1, keepdims=True)
        colours /= largest
        light[bright] = colours + (1 - colours) * (1 - 1 / largest) ** 2


@lru_cache(maxsize=16)
def _light(transfer: int, size: int) -> _Light:
    """Linear light of every code of ``size`` bytes, where SDR white is 1."""
    codes = np.linspace(0, 1, 1 << (8 * size))
    return _EOTF[transfer](codes).astype(np.float32)


@lru_cache(maxsize=1)
def _srgb_codes() -> npt.NDArray[np.uint8]:
    """The sRGB code of linear light in 65535ths."""
    light = np.linspace(0, 1, _STEPS + 1)
    coded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(coded * 255), np.uint8)


def _srgb(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _pq(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """SMPTE ST 2084, the EOTF."""
    m1, m2, c1, c2, c3 = 1305 / 8192, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128
    root = code ** (1 / m2)
    light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    return np.asarray(light * (_PQ_PEAK / _REFERENCE_WHITE))


def _hlg(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """BT.2100, table 5: the inverse of HLG's OETF, here of a scene with reference white 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return np.asarray(scene / _HLG_WHITE)


_EOTF: dict[int, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    4: lambda code: code**2.2,
    5: lambda code: code**2.8,
    8: lambda code: code,
    SRGB: _srgb,
    PQ: _pq,
    17: lambda code: code**2.6 * (52.37 / 48),
    HLG: _hlg,
}


@lru_cache(maxsize=16)
def _matrix(primaries: int) -> npt.NDArray[np.float64]:
    """From linear RGB of these primaries to that of BT.709, white kept white (Bradford)."""
    return np.asarray(np.linalg.inv(_to_xyz(BT709)) @ _adapted(primaries) @ _to_xyz(primaries))


@lru_cache(maxsize=16)
def _to_xyz(primaries: int) -> npt.NDArray[np.float64]:
    """SMPTE RP 177: the primaries' XYZ, scaled to add up to white. Its row 1 is luminance."""
    *colours, white = (_xyz(point) for point in PRIMARIES[primaries])
    columns = np.column_stack(colours)
    return np.asarray(columns * np.linalg.solve(columns, white))


def _adapted(primaries: int) -> npt.NDArray[np.float64]:
    cones = _BRADFORD @ _xyz(PRIMARIES[BT709][3]) / (_BRADFORD @ _xyz(PRIMARIES[primaries][3]))
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD)


def _xyz(point: tuple[float, float]) -> npt.NDArray[np.float64]:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])

"""One drawn look, carried as any colour: the inverse of what decoding does, written apart.

The matrices are copied, not computed: from Recommendation ITU-R BT.2087 (BT.2020), Apple's
Display P3, and Poynton, Digital Video and HD (SMPTE-C and EBU, the other way round).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from tests.core.media.clips import Pixels

_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_TO_P3 = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
_OF_525 = np.array(
    [
        [0.939555, 0.050173, 0.010272],
        [0.017775, 0.965795, 0.01643],
        [-0.001622, -0.004371, 1.005993],
    ]
)
_OF_625 = np.array([[1.044036, -0.044043, 0.0], [0.0, 1.0, 0.0], [0.0, 0.011797, 0.988203]])
_GAMUTS = {5: np.linalg.inv(_OF_625), 6: np.linalg.inv(_OF_525), 9: _TO_2020, 12: _TO_P3}
_SPACES = {1: Colorspace.ITU709, 5: Colorspace.ITU601, 6: Colorspace.ITU601, 9: Colorspace.BT2020}


_UNTAGGED = {True: Colorspace.BT2020, False: Colorspace.ITU601}


@dataclass(frozen=True, slots=True)
class Carriage:
    """How a look is coded: code points of H.273, range 1 (limited) or 2 (full), and bits.

    Attributes:
        gamma: of HLG's system; 1.2 is made for the nominal display, 1 as a camera does.
    """

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    range: int = 1
    bits: int = 8
    gamma: float = 1.2


SDR = Carriage()
HLG = Carriage(9, 18, 9, 1, 10)
HLG_CAMERA = replace(HLG, gamma=1.0)
PQ = Carriage(9, 16, 9, 1, 10)
P3 = Carriage(12, 13, 1, 1, 8)


def coded(picture: Pixels, carriage: Carriage) -> npt.NDArray[np.float64]:
    """``(h, w, 3)`` RGB, 0 to 1, as coded with primaries and transfer; white at 203 cd/m2."""
    code = picture / 255.0
    if carriage.primaries not in _GAMUTS and carriage.transfer not in {16, 18}:
        return code
    return of_light(
        np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4), carriage
    )


def of_light(light: npt.NDArray[np.floating], carriage: Carriage) -> npt.NDArray[np.float64]:
    """The same of linear light in BT.709's primaries, where 1 is 203 cd/m2."""
    light = light @ _GAMUTS.get(carriage.primaries, np.eye(3)).T
    if carriage.transfer == 16:
        return pq(np.clip(light, 0, None) * 203)
    if carriage.transfer == 18:
        return hlg(np.clip(light, 0, None), carriage.gamma)
    high = 1.055 * np.clip(light, 0.003, None) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, high)


def pq(nits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse EOTF of SMPTE ST 2084."""
    power = (nits / 10_000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def hlg(light: npt.NDArray[np.floating], gamma: float) -> npt.NDArray[np.float64]:
    """BT.2100's inverse OOTF, then HLG's OETF; white is its 75%."""
    luminance = np.maximum(light @ np.array([0.2627, 0.6780, 0.0593]), 1e-9)
    scene = 0.2650 * light * luminance[..., np.newaxis] ** (1 / gamma - 1)
    high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), high))


def write_look(
    path: Path, picture: Pixels, carriage: Carriage, codec: str = "ffv1", frames: int = 6
) -> Path:
    """A still clip; height and width must be even."""
    return _write(path, coded(picture, carriage), carriage, codec, frames)


def write_light(path: Path, light: npt.NDArray[np.floating], carriage: Carriage) -> Path:
    """The same of linear light, as :func:`of_light` takes it."""
    return _write(path, of_light(light, carriage), carriage, "ffv1", 6)


def _write(
    path: Path, code: npt.NDArray[np.float64], carriage: Carriage, codec: str, frames: int
) -> Path:
    deep = carriage.bits > 8
    rgb48 = np.rint(np.clip(code, 0, 1) * 65535).astype(np.uint16)
    source = av.VideoFrame.from_ndarray(rgb48, format="rgb48le")
    frame = source.reformat(
        format="yuv420p10le" if deep else "yuv420p",
        dst_colorspace=_SPACES.get(carriage.matrix, _UNTAGGED[carriage.transfer in {16, 18}]),
        dst_color_range=ColorRange(carriage.range or 1),
    )
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = rgb48.shape[:2]
        stream.pix_fmt = frame.format.name
        context = stream.codec_context
        context.color_primaries, context.color_trc = carriage.primaries, carriage.transfer
        context.colorspace, context.color_range = carriage.matrix, carriage.range
        for number in range(frames):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            frame.color_primaries, frame.color_trc = carriage.primaries, carriage.transfer
            frame.colorspace, frame.color_range = carriage.matrix, carriage.range
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path

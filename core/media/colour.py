"""What the colour tags of a picture or video mean here.

Tags are the code points of Recommendation ITU-T H.273 (the same as ISO/IEC 23091-2), which video
streams, HEIC, AVIF, PNG and ICC profiles share.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

UNSPECIFIED = 2
BT709, BT2020 = 1, 9
SRGB, PQ, HLG = 13, 16, 18
HDR = frozenset({PQ, HLG})
# Transfers by the one they are read with: sRGB's stands for all SDR camera curves.
_CURVES = {
    **dict.fromkeys((1, 6, 7, 11, 12, 13, 14, 15), SRGB),
    **{code: code for code in (4, 5, 8, 17, PQ, HLG)},
}

_D65, _C, _DCI = (0.3127, 0.3290), (0.310, 0.316), (0.314, 0.351)
_SMPTE = ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65)
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
# Chromaticities of red, green, blue and white (H.273, table 2).
PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.670, 0.330), (0.210, 0.710), (0.140, 0.080), _C),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), _D65),
    6: _SMPTE,
    7: _SMPTE,
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: (*_P3, _DCI),
    12: (*_P3, _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}


@dataclass(frozen=True, slots=True)
class Tags:
    """What a medium says about its colours.

    Attributes:
        deep: more than 8 bits a channel; such video may well be HDR.
    """

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    deep: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How tags are read: code points that :func:`core.media.tonemap.to_srgb` knows.

    Attributes:
        notes: what could not be told, and what was taken instead.
    """

    primaries: int
    transfer: int
    notes: tuple[str, ...] = ()

    @property
    def is_srgb(self) -> bool:
        """Nothing to convert: SDR with the primaries of BT.709."""
        return self.primaries == BT709 and self.transfer == SRGB


@lru_cache(maxsize=64)
def read_as(tags: Tags) -> Reading:
    """What is not said is SDR in BT.709, or BT.2020 where the transfer is HLG's or PQ's."""
    notes = []
    transfer = _CURVES.get(tags.transfer)
    if transfer is None:
        transfer = SRGB
        if tags.transfer != UNSPECIFIED:
            notes.append(f"its colour transfer {tags.transfer} is not known here; read as SDR")
        elif tags.deep or tags.primaries == BT2020:
            notes.append("it does not say its colour transfer (SDR, HLG or PQ); read as SDR")
    custom, name = (BT2020, "BT.2020") if transfer in HDR else (BT709, "BT.709")
    primaries = tags.primaries
    if primaries not in PRIMARIES:
        if primaries != UNSPECIFIED:
            notes.append(f"its colour primaries {primaries} are not known here; read as {name}")
        elif transfer in HDR:
            notes.append(f"it does not say its colour primaries; read as {name}")
        primaries = custom
    return Reading(primaries, transfer, tuple(notes))

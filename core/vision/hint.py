"""First masks as detectors give them, many of which fit into little memory."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from core.vision.boxes import PixelBox, outline, window

Floats = npt.NDArray[np.float32]
Likely = npt.NDArray[np.float32] | npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hint:
    """Where a detector believes an item to be, in the detector's own resolution.

    A detector looks at a region of the image on a map that mostly has fewer pixels. Kept is the
    part of the map that is not zero.

    Attributes:
        probability: ``(h, w) float32`` of foreground, 0 to 1, on that part; ``bool`` from a
            detector that has no doubts, which takes a quarter of the memory.
        part: xyxy of it in pixels of the map.
        size: width and height of the whole map.
        region: xyxy whole pixels of the image that the map is stretched over; beyond it nothing
            is foreground.
    """

    probability: Likely
    part: PixelBox
    size: tuple[int, int]
    region: PixelBox

    @classmethod
    def of(cls, likely: Likely, region: PixelBox) -> Hint:
        """The hint of a map of at least one pixel, ``(h, w) float32`` or ``bool``; the map itself
        is not kept."""
        part = outline(likely != 0) or (0, 0, 0, 0)
        return cls(likely[window(part)].copy(), part, likely.shape[::-1], region)

    def within(self, box: PixelBox) -> Floats:
        """``(h, w) float32``: the probability of each pixel of the image inside ``box``.

        The whole map is stretched, bilinearly, and then cut, because a pixel must not depend on
        the box it is asked for in; that takes four bytes a pixel of the region until this returns.
        """
        whole = np.zeros(self.size[::-1], np.float32)
        whole[window(self.part)] = self.probability
        x0, y0, x1, y1 = self.region
        stretched = np.asarray(cv2.resize(whole, (x1 - x0, y1 - y0)), np.float32)
        if box == self.region:
            return stretched
        left, top, right, bottom = box
        common = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        found = np.zeros((max(0, bottom - top), max(0, right - left)), np.float32)
        if common[0] < common[2] and common[1] < common[3]:
            found[window(_seen_from(box, common))] = stretched[
                window(_seen_from(self.region, common))
            ]
        return found


def _seen_from(origin: PixelBox, box: PixelBox) -> PixelBox:
    """``box`` in pixels that are counted from the upper left corner of ``origin``."""
    left, top, _, _ = origin
    x0, y0, x1, y1 = box
    return x0 - left, y0 - top, x1 - left, y1 - top

"""The frames of a scene that may become its key frame: few, however long the scene grows."""

from __future__ import annotations

import cv2
from av.video.reformatter import VideoReformatter

from core.media.jpeg import fitted
from core.media.stream import TimedFrame

_MOST = 16
_FRAME_BYTES = 160 << 20  # of one set; a large video has fewer candidates, not more memory
_SHARPNESS_SIDE = 960  # pixels; finer detail is the codec's noise as often as it is focus


class Candidates:
    """An evenly spread sample of a scene's frames; its first frame is always in it.

    Every frame is kept until the set is full. Then every second one is dropped, and from then on
    only every second one added, and so on: memory stays flat, and no frame is looked at.
    """

    def __init__(self) -> None:
        self._kept: list[TimedFrame] = []
        self._stride = 1
        self._seen = 0

    def add(self, frame: TimedFrame) -> None:
        if self._seen % self._stride == 0:
            if len(self._kept) >= _room(frame):
                self._kept = self._kept[::2]
                self._stride *= 2
            if self._seen % self._stride == 0:
                self._kept.append(frame)
        self._seen += 1

    def first(self) -> TimedFrame:
        return self._kept[0]

    def sharpest(self, start_ms: int, end_ms: int) -> TimedFrame:
        """The frame with the most detail, weighted by its closeness to the scene's middle.

        Frames at or after ``end_ms`` are the next scene's. Detail is the variance of the
        Laplacian (Pech-Pacheco et al., ICPR 2000); the weight falls from 1 in the middle to 0 at
        both ends, where cross-fades are. Equal frames: the one nearest the middle.
        """
        inside = [kept for kept in self._kept if kept.time_ms < end_ms] or self._kept[:1]
        middle, half = (start_ms + end_ms) / 2, max(1.0, (end_ms - start_ms) / 2)
        ranked = []
        for kept in inside:
            weight = max(0.0, 1 - abs(kept.time_ms - middle) / half)
            ranked.append((weight, kept))
        ranked.sort(key=lambda pair: (-pair[0], pair[1].time_ms))
        best, best_score = ranked[0][1], -1.0
        sharpness = Sharpness()
        for weight, kept in ranked[: max(1, (len(ranked) + 1) // 2)]:
            score = weight * sharpness.of(kept)
            if score > best_score:
                best, best_score = kept, score
        return best


class Sharpness:
    """Variance of the Laplacian of a frame's luma; keeps its scaler for frames of one size."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def of(self, kept: TimedFrame) -> float:
        """0 for a frame that its decoder calls damaged."""
        if kept.frame.is_corrupt:
            return 0.0
        size = fitted(kept.frame.width, kept.frame.height, _SHARPNESS_SIDE)
        luma = self._scaler.reformat(kept.frame, *size, "gray", interpolation="AREA").to_ndarray()
        _, deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
        return float(deviation[0][0]) ** 2


def _room(frame: TimedFrame) -> int:
    """How many frames of this size are kept: an even number, 4 to 16."""
    size = 3 * frame.frame.width * frame.frame.height  # with 10 bits and half the colour
    return max(4, min(_MOST, _FRAME_BYTES // max(1, size) // 2 * 2))

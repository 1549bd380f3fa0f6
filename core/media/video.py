"""Find a video's scenes and one key frame for each, in one decoding pass. Child process only.

PyAV decodes, PySceneDetect decides where cuts are. PyAV because it gives exact presentation
times and rotation, and because it scales a frame to the size that the detector compares before
converting its colours, which OpenCV's reader does the other way round and at full size.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Self, cast

import av
from av.video.reformatter import VideoReformatter
from PIL import Image
from scenedetect.common import FrameTimecode, Timecode
from scenedetect.detector import FlashFilter
from scenedetect.detectors import ContentDetector

from core.errors import DoesNotFitError, LimitExceededError, UndecodableError
from core.files.space import FULL, megabytes
from core.media.candidates import Candidates
from core.media.decoded import Decoded, FrameFile
from core.media.frame_colour import frame_in_srgb
from core.media.jpeg import fitted, write_frame
from core.media.limits import UNTOLD, Progress
from core.media.options import DecodeOptions
from core.media.probe import Probe
from core.media.stream import THREADS, DamagedError, TimedFrame, VideoSource

_MILLISECOND = Fraction(1, 1000)
_MANY_BYTES = 16 << 20
_STRAIGHT = {
    (True, False): Image.Transpose.FLIP_LEFT_RIGHT,
    (False, True): Image.Transpose.FLIP_TOP_BOTTOM,
    (True, True): Image.Transpose.ROTATE_180,
}
_TURNED = {
    (False, False): Image.Transpose.TRANSPOSE,
    (True, True): Image.Transpose.TRANSVERSE,
    (False, True): Image.Transpose.ROTATE_270,
    (True, False): Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset(_TURNED.values())


def decode_video(
    path: Path, folder: Path, options: DecodeOptions, progress: Progress = UNTOLD
) -> Decoded:
    """Write one key frame per scene; a video without cuts is one scene.

    Args:
        progress: told of every frame.

    Raises:
        UndecodableError: not a video, or none of it can be decoded.
        LimitExceededError: larger, longer or more cut up than allowed.
        OSError: it cannot be read, or a frame not written.
    """
    try:
        return _extract(path, folder, options, THREADS, progress)
    except DamagedError:
        return _extract(path, folder, options, 1, progress)


def probe_video(path: Path, options: DecodeOptions) -> Probe:
    """Decode the first frame; raises as :func:`decode_video` does."""
    with VideoSource(path, options) as source:
        for timed in source.frames():
            width, height = _display_size(timed.frame, source.pixel_aspect)
            return Probe("video", source.format, width, height)
    raise UndecodableError("damaged video: not one frame can be decoded")


def _extract(
    path: Path, folder: Path, options: DecodeOptions, threads: int, progress: Progress
) -> Decoded:
    with (
        VideoSource(path, options, threads) as source,
        _Writer(folder, source.pixel_aspect, options) as writer,
    ):
        cuts = _Cuts(source.rate, options)
        start_ms, scene = 0, Candidates()
        tail = Candidates()  # since the last great change, which may turn out to be a cut
        for number, timed in enumerate(source.frames()):
            progress.frame(timed.frame.width, timed.frame.height)
            if number == 0:
                start_ms = timed.time_ms
            if number % (options.frame_skip + 1):
                continue
            changed, cut = cuts.look(timed)
            if changed:
                tail = Candidates()
            scene.add(timed)
            tail.add(timed)
            if cut:
                # Cuts in quick succession are merged, so the filter may speak up a while after
                # the last of them. The new scene begins there, where the tail does.
                begun_ms = tail.first().time_ms
                writer.write(scene, start_ms, begun_ms)
                start_ms, scene, tail = begun_ms, tail, Candidates()
        if source.end_ms == 0:
            raise UndecodableError("damaged video: not one frame can be decoded")
        writer.write(scene, start_ms, source.end_ms)
        notes = (*writer.notes, *source.notes())
        return Decoded("video", tuple(writer.frames), notes, source.end_ms)


class _Cuts:
    """PySceneDetect's content detector and its filter for scenes that are too short."""

    def __init__(self, rate: Fraction, options: DecodeOptions) -> None:
        self._rate = rate
        self._side = options.analysis_side
        self._scaler = VideoReformatter()
        self._size: tuple[int, int] | None = None
        # The filter is the detector's own. Outside it, every change can be seen, not only cuts.
        self._detector = ContentDetector(threshold=options.threshold, min_scene_len=0)
        self._filter = FlashFilter(FlashFilter.Mode.MERGE, options.min_scene_ms / 1000)

    def look(self, timed: TimedFrame) -> tuple[bool, bool]:
        """Whether this frame differs greatly from the last one, and whether a scene is over."""
        if self._size is None:
            # Kept for good: frames are compared pixel by pixel, also if the video changes size.
            self._size = fitted(timed.frame.width, timed.frame.height, self._side)
        # As PySceneDetect samples, unsmoothed: its threshold means differences of such pixels.
        small = self._scaler.reformat(
            timed.frame, *self._size, "bgr24", interpolation="FAST_BILINEAR"
        )
        time = FrameTimecode(Timecode(timed.time_ms, _MILLISECOND), self._rate)
        changed = bool(self._detector.process_frame(time, small.to_ndarray()))
        return changed, bool(self._filter.filter(time, changed))


class _Writer:
    """Chooses the key frame of each finished scene and writes it; on errors, takes all back."""

    def __init__(self, folder: Path, aspect: Fraction, options: DecodeOptions) -> None:
        self.frames: list[FrameFile] = []
        self.notes: list[str] = []
        self._folder = folder
        self._aspect = aspect
        self._options = options

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for frame in self.frames:
                frame.path.unlink(missing_ok=True)

    def write(self, scene: Candidates, start_ms: int, end_ms: int) -> None:
        if len(self.frames) >= self._options.max_scenes:
            raise LimitExceededError(
                f"the video has more scenes than max_scenes = {self._options.max_scenes}"
            )
        picked = (
            scene.first() if self._options.pick == "start" else scene.sharpest(start_ms, end_ms)
        )
        width, height = _display_size(picked.frame, self._aspect)
        if not self.frames and max(width, height) > self._options.max_side:
            side = self._options.max_side
            self.notes.append(f"scaled down from {width}x{height} to fit {side} pixels")
        image = _upright(picked.frame, self._aspect, self._options.max_side)
        self._put(image, picked.time_ms, (start_ms, end_ms))

    def _put(self, image: Image.Image, time_ms: int, scene: tuple[int, int]) -> None:
        try:
            self.frames.append(write_frame(image, self._folder, time_ms, scene))
        except OSError as error:
            # A disk that this video has filled is not full for others.
            written = sum(frame.path.stat().st_size for frame in self.frames)
            if error.errno in FULL and written >= _MANY_BYTES:
                raise DoesNotFitError(
                    f"the video's key frames do not fit: {len(self.frames)} of them, "
                    f"{megabytes(written)}, filled {self._folder}: free some space"
                ) from error
            raise


def _upright(frame: av.VideoFrame, aspect: Fraction, max_side: int) -> Image.Image:
    """SDR in sRGB, turned as the container's display matrix says, with square pixels."""
    turn = _turn(frame)
    size = fitted(*_square(frame, aspect), max_side)
    image = Image.fromarray(frame_in_srgb(frame, size))
    return image.transpose(turn) if turn is not None else image


def _display_size(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Width and height in pixels as the frame is meant to be seen."""
    width, height = _square(frame, aspect)
    return (height, width) if _turn(frame) in _SIDEWAYS else (width, height)


def _square(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Size as stored, widened where pixels are not square."""
    return max(1, round(frame.width * aspect)), frame.height


def _turn(frame: av.VideoFrame) -> Image.Transpose | None:
    """How to turn the stored frame upright; phones also mirror, which is no rotation.

    The matrix maps stored (x, y) to (a x + c y, b x + d y), y down, in 16.16 fixed point
    (libavutil/display.h). Its direction counts, odd angles are rounded to right ones.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    a, b, _, c, d = struct.unpack_from("<5i", bytes(cast("bytes", matrix)))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _STRAIGHT.get((a < 0, d < 0))
    return _TURNED[b < 0, c < 0]

"""A video file as a sequence of frames with times, whatever its container says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
from av.stream import Disposition

from core.errors import LimitExceededError, UndecodableError
from core.media.colour import Tags, read_as
from core.media.frame_colour import settle_matrix, tags_of
from core.media.options import DecodeOptions
from core.media.probe import container

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

THREADS = 4  # beyond that each thread holds frames in memory and hardly adds speed
_DECODERS_MARGIN = 1 << 20
_MICROSECONDS = 1_000_000
_DEFAULT_RATE = Fraction(25)
_RATES = (Fraction(1, 3600), Fraction(1000))
_ASPECTS = (Fraction(1, 4), Fraction(4))
_EXTRAS = (
    Disposition.attached_pic
    | Disposition.timed_thumbnails
    | Disposition.still_image
    | Disposition.dependent
)
_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A decoded frame, as stored (not yet rotated), and its presentation time."""

    time_ms: int
    frame: VideoFrame


class DamagedError(Exception):
    """A stream read by several threads is damaged: read it again by one."""


class VideoSource:
    """The video stream of a file, opened for one pass.

    Times begin with the container's start and rise strictly: a stream that jumps back in time, as
    joined recordings do, goes on where it was.

    What a decoder makes up for damaged parts depends on how far its threads have come, so that the
    same bytes would give other pixels each time. Several threads therefore stop at the first sign
    of damage, with DamagedError; one thread passes over it, and always in the same way.

    Attributes:
        format: the container's, ``mov`` (also MP4), ``matroska`` (also WEBM), ``avi``, ``mpeg``,
            ``mpegvideo`` or ``mpegts``.
        rate: nominal frames per second; frames may come at any other pace.
        pixel_aspect: width of a pixel in heights; 1 for nearly all videos.
        damaged: packets that could not be decoded so far.
        end_ms: when the last frame given so far ends.

    Raises:
        UndecodableError: no video in it, or none that can be decoded.
        LimitExceededError: it says itself that it is too large or too long.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path, options: DecodeOptions, threads: int = 1) -> None:
        self._threads = threads
        self._options = options
        self.format = container(path, "video")
        if self.format == "mov" and not _has_index(path):
            raise UndecodableError(
                "the video's index (moov atom) is missing: the file is cut off or not yet complete"
            )
        try:
            # Metadata in another encoding than it should be is no reason to refuse a video.
            self._container: InputContainer = av.open(
                str(path), format=self.format, metadata_errors="replace"
            )
        except av.FFmpegError as error:
            raise UndecodableError(f"damaged video: {error.strerror}") from error
        self._choice: list[str] = []
        try:
            self._stream = self._video_stream()
            self._check_limits()
        except BaseException:
            self._container.close()
            raise
        self.rate = _sane(self._stream.average_rate, _RATES) or _DEFAULT_RATE
        self.pixel_aspect = _sane(self._stream.sample_aspect_ratio, _ASPECTS) or Fraction(1)
        self.damaged = 0
        self.end_ms = 0
        self._first_ms = 0
        self._colours: dict[tuple[Tags, str | None], None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._container.close()

    def frames(self) -> Iterator[TimedFrame]:
        """Every frame in order of presentation; raises LimitExceededError on what has no end."""
        nominal_ms = max(1, round(1000 / self.rate))
        start = Fraction(self._container.start_time or 0, _MICROSECONDS)
        clock = _Clock(start, nominal_ms)
        for count, frame in enumerate(self._decode(), 1):
            if count > self._options.max_video_frames:
                raise LimitExceededError(
                    "the video has more frames than "
                    f"max_video_frames = {self._options.max_video_frames}"
                )
            time_ms = clock.read(frame)
            self._check_time(time_ms / 1000)
            if count == 1:
                self._first_ms = time_ms
            self.end_ms = time_ms + (_duration_ms(frame) or nominal_ms)
            yield TimedFrame(time_ms, frame)

    def notes(self) -> list[str]:
        """What was wrong with the stream, once it has been read to its end."""
        notes = [*self._choice]
        declared_ms, tolerance_ms = self._declared()
        seen_ms = self.end_ms - self._first_ms
        if declared_ms - seen_ms > tolerance_ms:
            notes.append(f"stream ends at {seen_ms / 1000:.1f} s of {declared_ms / 1000:.1f} s")
        if self.damaged:
            notes.append(f"{self.damaged} damaged parts of the stream were passed over")
        return notes + self._colour_notes()

    def _colour_notes(self) -> list[str]:
        """What the stream does not say about its colours, each once."""
        said = [(*read_as(tags).notes, note) for tags, note in self._colours]
        return list(dict.fromkeys(note for notes in said for note in notes if note))

    def _decode(self) -> Iterator[VideoFrame]:
        """All frames that can be had; what is broken is counted and passed over."""
        for packet in self._packets():
            try:
                frames = self._stream.codec_context.decode(packet)
            except MemoryError:
                raise
            except av.FFmpegError:
                self._count_damage()
                continue
            for frame in frames:
                if frame.is_corrupt and self._threads > 1:
                    raise DamagedError
                self._check_pixels(frame.width, frame.height)
                matrix_note = settle_matrix(frame)
                self._colours[tags_of(frame), matrix_note] = None
                yield frame

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """The stream's packets, and None at the end: it makes the decoder give what it holds."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self._count_damage()
                packet = None
            if packet is None or packet.size == 0:
                yield None
                return
            yield packet

    def _count_damage(self) -> None:
        if self._threads > 1:
            raise DamagedError
        self.damaged += 1

    def _video_stream(self) -> VideoStream:
        tracks = [track for track in self._container.streams.video if not _is_extra(track)]
        if not tracks and self._container.streams.audio:
            raise UndecodableError("not a video: the file has sound but no picture")
        if not tracks:
            raise UndecodableError("not a video: the file has no video stream")
        stream = max((track for track in tracks if track.codec_context), key=_rank, default=None)
        if stream is None:
            raise UndecodableError("the video's codec is not supported")
        if len(tracks) > 1:
            which = "the default" if stream.disposition & Disposition.default else "the largest"
            self._choice = [f"of {len(tracks)} video tracks, {which} ({_words(stream)}) was read"]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        # The decoder refuses much larger frames before it allocates them. It counts its own
        # margins and says that all is damaged; what is a little too large, we say ourselves.
        most = 2 * self._options.max_video_pixels + _DECODERS_MARGIN
        stream.codec_context.options = {"max_pixels": str(most)}
        return stream

    def _check_limits(self) -> None:
        self._check_pixels(self._stream.codec_context.width, self._stream.codec_context.height)
        if self._container.duration:
            self._check_time(self._container.duration / _MICROSECONDS)

    def _check_pixels(self, width: int, height: int) -> None:
        if width * height > self._options.max_video_pixels:
            raise LimitExceededError(
                f"the video has {width}x{height} pixels, "
                f"more than max_video_pixels = {self._options.max_video_pixels}: "
                "shrink it, or raise TAGGER_MEDIA__MAX_VIDEO_PIXELS"
            )

    def _check_time(self, seconds: float) -> None:
        if seconds > self._options.max_duration_s:
            raise LimitExceededError(
                f"the video is {seconds:.0f} s long, "
                f"more than max_duration_s = {self._options.max_duration_s:g}: "
                "cut it, or raise TAGGER_MEDIA__MAX_DURATION_S"
            )

    def _declared(self) -> tuple[int, int]:
        """The duration that the file promises and by how much it may be missed, in ms."""
        if self._stream.duration and self._stream.time_base:
            return round(self._stream.duration * self._stream.time_base * 1000), 500
        if match := _TAG.match(self._stream.metadata.get("DURATION", "")):
            hours, minutes, seconds = match.groups()
            return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 1000), 500
        # The container's may be that of a sound track that goes on a little longer.
        return (self._container.duration or 0) // 1000, 2000


class _Clock:
    """Presentation times in ms that rise with every frame."""

    def __init__(self, start: Fraction, nominal_ms: int) -> None:
        self._start = start
        self._nominal_ms = nominal_ms
        self._last_ms: int | None = None
        self._shift_ms = 0

    def read(self, frame: VideoFrame) -> int:
        last_ms = self._last_ms
        following_ms = 0 if last_ms is None else last_ms + self._nominal_ms
        if frame.pts is None or frame.time_base is None:
            time_ms = following_ms
        else:
            time_ms = round((frame.pts * frame.time_base - self._start) * 1000) + self._shift_ms
        if time_ms < (last_ms or 0):
            self._shift_ms += following_ms - time_ms
            time_ms = following_ms
        elif time_ms == last_ms:
            time_ms += 1
        self._last_ms = time_ms
        return time_ms


def _is_extra(stream: VideoStream) -> bool:
    """A sound file's cover, thumbnails, a layer of another track: no video of its own."""
    return bool(stream.disposition & _EXTRAS)


def _rank(stream: VideoStream) -> tuple[bool, int]:
    """The default track comes first; of several, or none, the one with most pixels."""
    context = stream.codec_context
    return bool(stream.disposition & Disposition.default), context.width * context.height


def _words(stream: VideoStream) -> str:
    return f"number {stream.index}, {stream.codec_context.width}x{stream.codec_context.height}"


def _duration_ms(frame: VideoFrame) -> int:
    if not frame.duration or frame.time_base is None:
        return 0
    return round(frame.duration * frame.time_base * 1000)


def _sane(value: Fraction | None, bounds: tuple[Fraction, Fraction]) -> Fraction | None:
    """None for what nobody can have meant."""
    return value if value and bounds[0] <= value <= bounds[1] else None


def _has_index(path: Path) -> bool:
    """Whether an MP4 or MOV file has its ``moov`` atom (ISO/IEC 14496-12, section 8.2.1)."""
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if head[4:8] == b"moov":
                return at + length <= size
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            at += length
    return False

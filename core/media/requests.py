"""How the jobs of a decoder's child are asked for, and what their answers mean.

The child has met untrusted bytes, so its answers are not taken on trust either: they are read as
numbers and words; where a frame lies follows from its time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.children.frames import is_count
from core.events import Kind
from core.media.decoded import Decoded, FrameFile, frame_name, timecode
from core.media.options import DecodeOptions
from core.media.probe import Probe

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """A job of the child's table, which may run twice, so it overwrites rather than appends.

    Attributes:
        name: in the table.
        read: makes the result of what the child answered; raises ValueError, TypeError or
            LookupError for what makes no sense.
        arguments: by name, as JSON can hold them.
    """

    name: str
    read: Callable[[Any], T]
    arguments: Mapping[str, Any] = field(default_factory=dict)


def extract_frames(path: Path, kind: Kind, folder: Path, options: DecodeOptions) -> Job[Decoded]:
    """Write a medium's key frames into ``folder``."""
    arguments = {"path": str(path), "folder": str(folder), "options": asdict(options)}
    return Job(f"frames_of_{kind}", lambda answer: _decoded(answer, kind, folder), arguments)


def probe_medium(path: Path, kind: Kind, options: DecodeOptions) -> Job[Probe]:
    """Find out, quickly, whether a medium decodes."""
    arguments = {"path": str(path), "options": asdict(options)}
    return Job(f"probe_{kind}", lambda answer: _probed(answer, kind), arguments)


def warm_up() -> Job[None]:
    """Import what pictures need, so that the first one does not wait for it."""
    return Job("warm_up", lambda _: None)


def _decoded(answer: Any, kind: Kind, folder: Path) -> Decoded:
    frames = tuple(_frame(each, folder) for each in answer["frames"])
    if not frames:
        raise ValueError("a medium without frames")
    notes = tuple(_words(note) for note in answer["notes"])
    return Decoded(kind, frames, notes, _count(answer["duration_ms"]))


def _frame(answer: Any, folder: Path) -> FrameFile:
    time_ms, width, height, start_ms, end_ms = map(_count, answer)
    path = folder / frame_name(time_ms)
    return FrameFile(path, time_ms, timecode(time_ms), width, height, start_ms, end_ms)


def _probed(answer: Any, kind: Kind) -> Probe:
    return Probe(kind, _words(answer["format"]), _count(answer["width"]), _count(answer["height"]))


def _count(value: Any) -> int:
    if not is_count(value):
        raise ValueError("not a whole number from 0")
    return value


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not words")
    return value

"""The requests that travel to a child. Decoders are imported there, when first needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.media.decoded import Decoded
from core.media.options import DecodeOptions
from core.media.probe import Probe

if TYPE_CHECKING:  # its room needs pydantic, which a child does without
    from core.events import Kind


@dataclass(frozen=True, slots=True)
class ExtractFrames:
    """Write a medium's key frames into ``folder``."""

    path: Path
    kind: Kind
    folder: Path
    options: DecodeOptions

    def __call__(self) -> Decoded:
        if self.kind == "picture":
            from core.media.picture import decode_picture

            return decode_picture(self.path, self.folder, self.options)
        from core.media.video import decode_video

        return decode_video(self.path, self.folder, self.options)


@dataclass(frozen=True, slots=True)
class ProbeMedium:
    """Find out, quickly, whether a medium decodes."""

    path: Path
    kind: Kind
    options: DecodeOptions

    def __call__(self) -> Probe:
        if self.kind == "picture":
            from core.media.picture import probe_picture

            return probe_picture(self.path, self.options)
        from core.media.video import probe_video

        return probe_video(self.path, self.options)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """Import what pictures need, so that the first one does not wait for it."""

    def __call__(self) -> None:
        import core.media.picture  # noqa: F401

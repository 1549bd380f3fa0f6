"""Decode media: what the rest of the engine calls."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import gettempdir

from core.events import Kind
from core.files.scratch import Scratch, temporary_folder
from core.media.children import DecoderPool
from core.media.decoded import Decoded
from core.media.limits import TimeLimit
from core.media.options import DecodeOptions
from core.media.probe import Probe
from core.media.requests import extract_frames, probe_medium, warm_up


class Decoder:
    """Turns pictures and videos into frames, in the pool's child processes.

    Args:
        scratch: where :meth:`folder` makes folders, else where the system has its temporary files.
    """

    def __init__(
        self, pool: DecoderPool, options: DecodeOptions, scratch: Scratch | None = None
    ) -> None:
        self._pool = pool
        self._options = options
        self._scratch = scratch

    @property
    def version(self) -> str:
        """Changes when the same bytes would give other frames."""
        return self._options.version

    def folder(self) -> AbstractContextManager[Path]:
        """An empty folder for frames, removed on leaving. Raises OutageError on entering."""
        return temporary_folder(self._scratch.path if self._scratch else Path(gettempdir()))

    async def frames(self, path: Path, kind: Kind, folder: Path) -> Decoded:
        """Write the medium's key frames into an existing folder, as JPEG, and list them.

        The same bytes and options give the same frames. On any error the folder may hold files
        of no meaning.

        Raises:
            UndecodableError: not a picture or video that is read here, or a damaged one.
            LimitExceededError: larger or longer than the options allow.
            TimeLimitError: it takes longer than it may.
            DecoderDiedError: it cost two children their lives, or their time without their doing.
            DoesNotFitError: its frames alone fill the disk.
            OutageError: the disk is full or fails, or no child can be started.
            OSError: the file cannot be opened.
        """
        job = extract_frames(_fixed(path), kind, _fixed(folder), self._options)
        return await self._pool.run(job, limit=self._limit(kind), long=kind == "video")

    async def probe(self, path: Path, kind: Kind) -> Probe:
        """Whether the medium decodes; raises as :meth:`frames` does where it does not.

        A picture is decoded whole but coarsely, of a video the first frame.
        """
        job = probe_medium(_fixed(path), kind, self._options)
        return await self._pool.run(job, limit=self._probe_limit(kind))

    async def warm_up(self) -> None:
        """Start a child and have it ready for pictures."""
        await self._pool.run(warm_up())

    def _limit(self, kind: Kind) -> TimeLimit:
        options = self._options
        if kind == "picture":
            return TimeLimit(options.picture_time_limit_s)
        return TimeLimit(
            options.video_time_limit_s,
            options.video_quiet_s,
            options.video_pixels_per_s,
            "TAGGER_MEDIA__TIME_LIMIT_S",
        )

    def _probe_limit(self, kind: Kind) -> TimeLimit:
        quiet_s = self._options.video_quiet_s if kind == "video" else math.inf
        return TimeLimit(min(self._options.picture_time_limit_s, quiet_s))


def _fixed(path: Path) -> Path:
    """A child keeps the working directory it was started in; ours may have changed since."""
    return path.absolute()

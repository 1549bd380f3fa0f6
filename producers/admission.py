"""From come to rest to announced: probes, announces in batches, and waits out what is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from core.errors import OutageError, TaggingError
from core.events import Kind
from core.intake.intake import Announced, Intake, Submission
from core.intake.originals import ChangedWhileReadError, FileMark, UnreadableFileError
from core.media.probe import kind_of
from producers.batches import Batches
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.options import FolderOptions
from producers.settle import Settling


class Prober(Protocol):
    """Looks into a file far enough to say whether it decodes."""

    async def probe(self, path: Path, kind: Kind) -> object:
        """Raises a PermanentError or TransientError if not, OSError if it cannot be opened."""
        ...


class _Ripe(NamedTuple):
    path: str
    mark: FileMark

    @property
    def uri(self) -> str:
        return Path(self.path).as_uri()


class Admission:
    """Takes in files that came to rest, and tells the settling what became of them.

    Args:
        producer: whose name the announcements go by.
        place: the uri of the watched folder.
        on_progress: called when a batch ends.
    """

    def __init__(
        self,
        producer: str,
        place: str,
        *,
        intake: Intake,
        prober: Prober,
        marks: SeenMarks,
        settling: Settling,
        options: FolderOptions,
        clock: Callable[[], float],
        on_progress: Callable[[], None],
    ) -> None:
        self._producer = producer
        self._place = place
        self._intake = intake
        self._prober = prober
        self._marks = marks
        self._settling = settling
        self._options = options
        self._clock = clock
        self._log = structlog.get_logger().bind(producer=producer, place=place)
        self.hold = Hold(options.retry, producer=producer, place=place)
        self._batches: Batches[_Ripe] = Batches(
            self._take_in,
            size_of=lambda ripe: ripe.mark.size,
            options=options,
            hold=self.hold,
            clock=clock,
            on_progress=on_progress,
        )
        self.announced = 0

    @property
    def busy(self) -> bool:
        return self._batches.busy

    def add(self, path: str, mark: FileMark) -> None:
        """This file is to be taken in, if it still has this mark when its turn comes."""
        self._batches.add(path, _Ripe(path, mark))

    def work(self) -> None:
        """Starts what may be started now; raises what a batch met and no waiting mends."""
        self._batches.work()

    async def finish(self) -> None:
        """Ends the batches under way; what is cut off is taken up by a restart."""
        await self._batches.finish()

    async def _take_in(self, batch: dict[str, _Ripe]) -> None:
        wanted = list(batch.values())
        try:
            refusals = await asyncio.gather(*map(self._probe, wanted))
            wanted = [
                ripe
                for ripe, refusal in zip(batch.values(), refusals, strict=True)
                if refusal is None or self._patience_over(ripe, refusal)
            ]
            outcomes = await self._intake.announce_many([self._submission(r) for r in wanted])
        except OutageError as error:
            self._batches.give_back({ripe.path: ripe for ripe in wanted}, error)
            return
        if wanted or not self._batches.waiting:
            self.hold.succeeded()
        await self._conclude(wanted, outcomes)

    def _submission(self, ripe: _Ripe) -> Submission:
        return Submission(
            path=Path(ripe.path),
            uri=ripe.uri,
            producer=self._producer,
            place=self._place,
            settled=ripe.mark,
            repeat=False,
        )

    async def _probe(self, ripe: _Ripe) -> TaggingError | None:
        path = Path(ripe.path)
        kind = kind_of(path)
        if kind is None:
            return None
        try:
            await self._prober.probe(path, kind)
        except OutageError:
            raise
        except TaggingError as error:
            return error
        except OSError:
            return None  # gone, or not ours to read: the intake says which
        return None

    def _patience_over(self, ripe: _Ripe, refusal: TaggingError) -> bool:
        now = self._clock()
        if self._settling.patience_over(ripe.path, now):
            self._log.warning("undecodable_announced", uri=ripe.uri, reason=str(refusal))
            return True
        if self._settling.refuse(*ripe, now, "undecodable"):
            self._log.info("file_refused", uri=ripe.uri, reason=str(refusal))
        return False

    async def _conclude(
        self, batch: Sequence[_Ripe], outcomes: Sequence[Announced | TaggingError]
    ) -> None:
        now = self._clock()
        for ripe, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Announced):
                self.announced += outcome.new
                self._marks.learn(ripe.uri, ripe.mark.text())
                self._settling.done(*ripe, now)
            elif isinstance(outcome, ChangedWhileReadError):
                self._settling.retry(*ripe, now)
            elif isinstance(outcome, UnreadableFileError):
                if not await asyncio.to_thread(Path(ripe.path).is_file):
                    self._settling.forget(ripe.path)
                elif self._settling.refuse(*ripe, now, "unreadable"):
                    self._log.warning("file_unreadable", uri=ripe.uri, reason=str(outcome))
            else:
                raise outcome

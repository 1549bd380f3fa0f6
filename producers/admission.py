"""From come to rest to announced: probes, announces in batches, and waits out what is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from core.errors import OutageError, TaggingError
from core.events import Kind
from core.intake import Announced, Intake, Submission
from core.media.probe import kind_of
from core.originals import ChangedWhileReadError, FileMark, UnreadableFileError
from producers.hold import Hold
from producers.ledger import Ledger
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
        producer: whose name and ledger the announcements go by.
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
        ledger: Ledger,
        settling: Settling,
        options: FolderOptions,
        clock: Callable[[], float],
        on_progress: Callable[[], None],
    ) -> None:
        self._producer = producer
        self._place = place
        self._intake = intake
        self._prober = prober
        self._ledger = ledger
        self._settling = settling
        self._options = options
        self._clock = clock
        self._on_progress = on_progress
        self._log = structlog.get_logger().bind(producer=producer, place=place)
        self._ripe: dict[str, FileMark] = {}
        self._batches: set[asyncio.Task[None]] = set()
        self.hold = Hold(options.retry, producer=producer, place=place)
        self.announced = 0

    @property
    def busy(self) -> bool:
        return bool(self._ripe or self._batches)

    def add(self, path: str, mark: FileMark) -> None:
        """This file is to be taken in, if it still has this mark when its turn comes."""
        self._ripe[path] = mark

    def work(self) -> None:
        """Starts what may be started now; raises what a batch met and no waiting mends."""
        for batch in [batch for batch in self._batches if batch.done()]:
            self._batches.discard(batch)
            batch.result()
        if self._clock() < (self.hold.waits_until() or 0.0):
            return
        # While the stores are away, one batch tries for all.
        parallel = 1 if self.hold.reason else self._options.parallel
        while self._ripe and len(self._batches) < parallel:
            task = asyncio.create_task(self._take_in(self._next_batch()))
            task.add_done_callback(lambda _: self._on_progress())
            self._batches.add(task)

    async def finish(self) -> None:
        """Waits for the batches under way, then cuts them off: a restart takes them up again."""
        if self._batches:
            _, late = await asyncio.wait(self._batches, timeout=self._options.grace_s)
            for batch in late:
                batch.cancel()
            await asyncio.gather(*self._batches, return_exceptions=True)

    def _next_batch(self) -> list[_Ripe]:
        batch: list[_Ripe] = []
        size = 0
        for path, mark in self._ripe.items():
            size += mark.size
            # A long video keeps no pictures waiting: it goes alone.
            if batch and size > self._options.batch_bytes:
                break
            batch.append(_Ripe(path, mark))
            if len(batch) == self._options.batch_files:
                break
        for ripe in batch:
            del self._ripe[ripe.path]
        return batch

    async def _take_in(self, batch: list[_Ripe]) -> None:
        wanted = batch
        try:
            refusals = await asyncio.gather(*map(self._probe, batch))
            wanted = [
                ripe
                for ripe, refusal in zip(batch, refusals, strict=True)
                if refusal is None or self._patience_over(ripe, refusal)
            ]
            outcomes = await self._intake.announce_many([self._submission(r) for r in wanted])
        except OutageError as error:
            # One that was replaced meanwhile stands there already, with its newer mark.
            self._ripe = dict(wanted) | self._ripe
            self.hold.failed(error, self._clock())
            return
        if wanted or not self._ripe:
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
                self._ledger.learn(ripe.uri, ripe.mark.text())
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

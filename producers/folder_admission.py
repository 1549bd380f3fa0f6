"""From come to rest to announced: probes, announces in batches, and waits out what is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from core.errors import DoesNotFitError, OutageError, TaggingError
from core.events import Kind
from core.files.space import megabytes
from core.intake.intake import Announced, Intake, Submission
from core.intake.originals import ChangedWhileReadError, FileMark, UnreadableFileError, shown
from core.media.probe import kind_of
from producers.batches import Batches
from producers.hold import Hold
from producers.listing import marks_of
from producers.marks import SeenMarks
from producers.options import FolderOptions
from producers.settle import Refusal, Settling


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


class FolderAdmission:
    """Takes in files that came to rest.

    Args:
        root: the watched folder.
        marks: what was announced from it.
        on_taken: called with the path of each file that came to rest.
        on_progress: called when a batch ends.

    Attributes:
        settling: the files that are on their way in.
    """

    def __init__(
        self,
        root: str,
        *,
        intake: Intake,
        prober: Prober,
        marks: SeenMarks,
        options: FolderOptions,
        clock: Callable[[], float],
        on_taken: Callable[[str], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._root = root
        self._intake = intake
        self._prober = prober
        self._marks = marks
        self.settling = Settling(
            options.settle_s, options.undecodable_after_s, options.room_again_s
        )
        self._max_bytes = options.max_file_bytes
        self._clock = clock
        self._on_taken = on_taken
        context = {"producer": marks.producer, "place": marks.place}
        self._log = structlog.get_logger().bind(**context)
        self.hold = Hold(options.retry, **context)
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
        return self._batches.busy or len(self.settling) > self.settling.standing

    def offer(self, seen: Mapping[str, FileMark], /) -> None:
        now = self._clock()
        for path, mark in seen.items():
            uri = Path(path).as_uri()
            if path in self.settling or not self._marks.knows(uri, mark.text()):
                self._observe(path, mark, now)

    def forget(self, path: str, /) -> None:
        self.settling.forget(path)

    def keep(self, _: AbstractSet[str], /) -> None:
        """Files on their way in are looked at again, and found to be gone, one by one."""

    async def work(self, group: asyncio.TaskGroup, /) -> None:
        await self._look_again()
        self._batches.work(group)

    def next_look(self) -> float | None:
        return self.settling.next_look()

    async def finish(self) -> None:
        await self._batches.finish()

    async def _look_again(self) -> None:
        due = self.settling.due(self._clock())
        if not due:
            return
        marks = await asyncio.to_thread(lambda: list(marks_of(self._root, due)))
        now = self._clock()
        for path, mark in marks:
            if mark is None:
                self.settling.forget(path)
            else:
                self._observe(path, mark, now)

    def _observe(self, path: str, mark: FileMark, now: float) -> None:
        if self.settling.observe(path, mark, now):
            self._batches.add(path, _Ripe(path, mark))
            self._on_taken(path)

    async def _take_in(self, batch: dict[str, _Ripe]) -> None:
        wanted = list(batch.values())
        try:
            wanted = [ripe for ripe in wanted if await self._fits(ripe)]
            refusals = await asyncio.gather(*map(self._probe, wanted))
            wanted = [
                ripe
                for ripe, refusal in zip(wanted, refusals, strict=True)
                if refusal is None or self._patience_over(ripe, refusal)
            ]
            outcomes = await self._intake.announce_many([self._submission(r) for r in wanted])
        except OutageError as error:
            self._batches.give_back({ripe.path: ripe for ripe in wanted}, error)
            return
        if wanted or not self._batches.waiting:
            self.hold.succeeded()
        await self._conclude(wanted, outcomes)

    async def _fits(self, ripe: _Ripe) -> bool:
        """Whether its size stands against it; asked before anything is read of it."""
        size, most = ripe.mark.size, self._max_bytes
        if size > most:
            reason = (
                f"{megabytes(size)}, larger than {megabytes(most)}: shrink it, or raise "
                "TAGGER_WATCH__MAX_FILE_MB"
            )
            self._refuse(ripe, "too_large", f"{shown(Path(ripe.path))}: {reason}")
            return False
        try:
            await self._intake.check_room(Path(ripe.path), size)
        except DoesNotFitError as error:
            self._refuse(ripe, "no_room", str(error))
            return False
        return True

    def _refuse(self, ripe: _Ripe, refusal: Refusal, reason: str) -> None:
        alone = not self.settling.refused(refusal)
        if not self.settling.refuse(*ripe, self._clock(), refusal, reason):
            return
        # On a disk that is nearly full, thousands may wait: one speaks for them.
        say = self._log.warning if alone or refusal != "no_room" else self._log.info
        say(
            "file_refused",
            uri=ripe.uri,
            why=refusal,
            reason=reason,
            consequence="taken in by itself once there is room"
            if refusal == "no_room"
            else "left where it is until it changes",
        )

    def _submission(self, ripe: _Ripe) -> Submission:
        return Submission(
            path=Path(ripe.path),
            uri=ripe.uri,
            producer=self._marks.producer,
            place=self._marks.place,
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
        if self.settling.patience_over(ripe.path, now):
            self._log.warning("undecodable_announced", uri=ripe.uri, reason=str(refusal))
            return True
        if self.settling.refuse(*ripe, now, "undecodable"):
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
                self.settling.done(*ripe, now)
            elif isinstance(outcome, ChangedWhileReadError):
                self.settling.retry(*ripe, now)
            elif isinstance(outcome, DoesNotFitError):
                self._refuse(ripe, "no_room", str(outcome))
            elif isinstance(outcome, UnreadableFileError):
                if not await asyncio.to_thread(Path(ripe.path).is_file):
                    self.settling.forget(ripe.path)
                elif self.settling.refuse(*ripe, now, "unreadable"):
                    self._log.warning("file_unreadable", uri=ripe.uri, reason=str(outcome))
            else:
                raise outcome

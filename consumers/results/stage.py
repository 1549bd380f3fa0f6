"""results: the parts of a medium become its result.

Reads everything that is said of a medium. Stores each event as a part, and only then is the event
done; when the medium is whole, folds its parts, writes the result as JSON, replaces the medium's
vectors, and says ``media.tagged``. What comes later folds again and is a new revision if it
changed anything. Media take turns at being folded, so many at a time as the stage's bounds allow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from consumers.results.completeness import Completeness
from consumers.results.fold import Folded, Thresholds, fold, unfoldable
from consumers.results.turns import Turns
from consumers.results.write import ResultWriter
from core.envelope import Event
from core.errors import (
    NewerEventError,
    OutageError,
    OwnershipLostError,
    SettingsError,
    StageStopError,
)
from core.events import (
    Data,
    DeadLetter,
    ItemsIndexed,
    ItemsMatched,
    MediaAnalyzed,
    MediaFramed,
    MediaUploaded,
)
from core.log.port import TopicPartition
from core.results.medium import MediaParts, about_frames
from core.results.parts import PartStore
from core.runtime.retry import RetryPolicy
from core.runtime.stage import Context, Output, Publish, Stage
from core.runtime.supervised import supervised

_log = structlog.get_logger()


_PAGE = 500


@dataclass(frozen=True, slots=True)
class ResultsOptions:
    """Attributes:
    concurrency: media that are folded at the same time.
    every_s: revisions of one medium are at least this many seconds apart.
    partial_after_s: a medium without progress for so many seconds is announced as partial.
    """

    concurrency: int = 16
    every_s: float = 1.0
    partial_after_s: float = 900.0


@dataclass(slots=True)
class _Open:
    """A medium that may need an announcement.

    Attributes:
        completeness: None until an event of the medium comes, for it takes memory.
        dirty: something came since its parts were last read.
        partial_said: it waited so long that its result is said without what is missing.
        postponed: outages that its announcement has met in a row.
        failures: other errors in a row; ``error`` is the last one.
    """

    partition: int
    progressed: float
    completeness: Completeness | None = None
    closing: asyncio.Lock = field(default_factory=asyncio.Lock)
    announced: float = float("-inf")
    dirty: bool = True
    partial_said: bool = False
    postponed: int = 0
    failures: int = 0
    error: Exception | None = None


class ResultsStage(Stage):
    name = "results"
    reads = (MediaUploaded, MediaFramed, ItemsMatched, ItemsIndexed, MediaAnalyzed, DeadLetter)
    lane = "media"

    def __init__(
        self,
        parts: PartStore,
        writer: ResultWriter,
        thresholds: Thresholds,
        lagging: Callable[[], Awaitable[bool]],
        options: ResultsOptions | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._parts = parts
        self._writer = writer
        self._thresholds = thresholds
        self._lagging = lagging
        self._options = options or ResultsOptions()
        self._policy = policy or RetryPolicy()
        self._open: dict[str, _Open] = {}
        self._turns = Turns(self._turn)
        self._owned: set[int] = set()
        self._taken: asyncio.Queue[int] = asyncio.Queue()
        self._publish: Publish | None = None

    async def open(self, publish: Publish) -> None:
        self._publish = publish

    async def background(self) -> None:
        async with supervised() as beside:
            beside.start("results: clock", self._watch_progress())
            beside.start("results: open media", self._look_at_taken())
            for number in range(self._options.concurrency):
                beside.start(f"results: turn {number}", self._turns.serve())
            await asyncio.Event().wait()

    async def close(self) -> None:
        self._turns.close()

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Whatever was stored and perhaps not announced is looked at again, while events go on."""
        for partition in sorted({tp.partition for tp in partitions}):
            self._owned.add(partition)
            self._taken.put_nowait(partition)

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        numbers = {tp.partition for tp in partitions}
        self._owned -= numbers
        leaving = [media for media, known in self._open.items() if known.partition in numbers]
        for media in leaving:
            del self._open[media]
        # What is being announced may end; what only waits for its turn is the next owner's.
        self._turns.drop(leaving)
        await self._turns.idle(leaving)

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        if isinstance(event.data, DeadLetter) and not _about_a_result(event.data):
            return []
        media = event.subject
        known, completeness = await self._known(media, context.tp.partition)
        position = completeness.position(event, context.offset)
        if position is None:
            return []  # an upload that was counted long ago
        # Never between the last look at a medium and the removal of its marker: the part would
        # be stored, its event done, and nothing left that says so.
        async with known.closing:
            await self._parts.put_part(context.tp.partition, event, position)
            known.dirty = True
            self._open[media] = known
        completeness.add(event, position)
        known.progressed = asyncio.get_running_loop().time()
        known.partial_said = False
        if completeness.whole:
            self._ask(media, known)
        return []

    async def _known(self, media: str, partition: int) -> tuple[_Open, Completeness]:
        known = self._open.get(media)
        if known is not None and known.completeness is not None:
            return known, known.completeness
        completeness = Completeness.of(await self._parts.parts(media))
        known = self._noted(media, partition)
        known.completeness = completeness
        return known, completeness

    def _noted(self, media: str, partition: int) -> _Open:
        known = self._open.get(media)
        if known is None:
            known = self._open[media] = _Open(partition, asyncio.get_running_loop().time())
        return known

    async def _look_at_taken(self) -> None:
        while True:
            await self._look_at_open(await self._taken.get())

    async def _look_at_open(self, partition: int) -> None:
        """Gives each open medium of a partition a turn, page by page: there may be more of them
        than memory has room for."""
        after, outages = None, 0
        while partition in self._owned:
            try:
                page, after = await self._parts.open_media(partition, _PAGE, after)
            except OutageError as outage:
                outages += 1
                _log.warning("open_media_postponed", partition=partition, reason=str(outage))
                await asyncio.sleep(self._policy.delay(outages))
                continue
            if partition not in self._owned:
                return
            outages = 0
            for media in page:
                self._ask(media, self._noted(media, partition))
            if after is None:
                return
            await self._turns.room(self._options.concurrency)

    def _ask(self, media: str, known: _Open) -> None:
        now = asyncio.get_running_loop().time()
        self._turns.ask(media, known.announced + self._options.every_s - now)

    async def _turn(self, media: str) -> float | None:
        """One try at an announcement; gives the seconds to the next, None where none is due."""
        known = self._open.get(media)
        if known is None:
            return None
        again = await self._try(media, known)
        return again if self._open.get(media) is known else None

    async def _try(self, media: str, known: _Open) -> float | None:
        known.dirty = False
        try:
            if known.error is not None and known.failures >= self._policy.max_attempts:
                await self._give_up(media, known, known.error)
            else:
                await self._fold(media, known)
        except OwnershipLostError as lost:
            known.dirty = True
            _log.info("announcement_dropped", media_id=media, reason=str(lost), redone_by="owner")
            return None
        except OutageError as outage:
            known.dirty = True
            known.postponed += 1
            _log.warning("announcement_postponed", media_id=media, reason=str(outage))
            return self._policy.delay(known.postponed)
        except (StageStopError, SettingsError):
            raise  # no medium is at fault
        except Exception as error:
            return self._failed(media, known, error)
        known.postponed = known.failures = 0
        known.error = None
        known.announced = asyncio.get_running_loop().time()
        return self._options.every_s if known.dirty else None

    def _failed(self, media: str, known: _Open, error: Exception) -> float | None:
        """An error of the medium: it is tried again, then given up, and should that fail, left."""
        known.dirty = True
        known.failures += 1
        known.error = error
        if known.failures > self._policy.max_attempts:
            # The marker stays, so the next event or start looks at the medium again.
            known.failures = 0
            _log.error("announcement_abandoned", media_id=media, exc_info=error, lost="nothing")
            return None
        _log.error("announcement_failed", media_id=media, attempt=known.failures, exc_info=error)
        return self._policy.delay(known.failures)

    async def _fold(self, media: str, known: _Open) -> None:
        overdue = known.partial_said
        parts = await self._parts.parts(media)
        if not (overdue or Completeness.of(parts).whole):
            return  # found open at the start, or repeats made it look whole
        parent, whole = parts.parent(), not parts.missing()
        if parent is not None:
            await self._say(parent, fold(media, parts, self._thresholds))
        # What a partial result misses may never come. Should it come, it opens the medium again.
        await self._settle(media, known, parts if whole else None)

    async def _give_up(self, media: str, known: _Open, error: Exception) -> None:
        """Says that a medium cannot be folded: whoever waits for it learns why. Its parts stay,
        so that its next event gives it another try."""
        parts = await self._parts.parts(media)
        parent = parts.parent()
        if parent is not None:
            reason = f"results: {type(error).__name__}: {error}"
            await self._say(parent, unfoldable(media, parts, reason))
            await self._settle(media, known, None)

    async def _settle(self, media: str, known: _Open, parts: MediaParts | None) -> None:
        """Nothing about the medium waits any more, unless something came meanwhile. If nothing
        did, these are all its parts, and what its result can do without is forgotten."""
        async with known.closing:
            if not known.dirty and self._open.get(media) is known:
                if parts is not None:
                    await self._parts.forget(media, parts)
                await self._parts.close_media(known.partition, media)
                self._open.pop(media, None)  # gone already if it was revoked meanwhile

    async def _say(self, parent: Event[Data], folded: Folded) -> None:
        """Stores, then announces: a crash in between announces the same revision again."""
        revised = await self._writer.store(parent.root, folded)
        if revised is None or self._publish is None:
            return
        tagged = revised.tagged
        output = Output(tagged, pipeline=tagged.pipeline, event_id=revised.event_id)
        await self._publish(parent, [output])
        await self._writer.announced(revised)

    async def _watch_progress(self) -> None:
        """Announces as partial what has waited too long; the clock stands while work queues."""
        period = self._options.partial_after_s / 4
        while True:
            await asyncio.sleep(period)
            now = asyncio.get_running_loop().time()
            try:
                waiting = await self._lagging()
            except OutageError:
                waiting = True
            for media, known in list(self._open.items()):
                if waiting:
                    known.progressed = now
                elif (
                    now - known.progressed >= self._options.partial_after_s
                    and not known.partial_said
                ):
                    known.partial_said = known.dirty = True
                    self._ask(media, known)


def _about_a_result(letter: DeadLetter) -> bool:
    """A dead letter of an event without a proper envelope belongs to no medium, and neither the
    analysis nor this stage itself answers for frames."""
    # Letters from before that was noted have it in the headers alone.
    named = letter.origin_subject or letter.origin_headers.get("ce_subject")
    if letter.error == NewerEventError.__name__ and letter.origin_topic == MediaUploaded.topic:
        return False  # an upload that nobody here could read is none that waits for a result
    return named == letter.media_id and letter.stage != "results" and about_frames(letter)

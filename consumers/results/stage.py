"""results: the parts of a medium become its result.

Reads everything that is said of a medium. Stores each event as a part, and only then is the event
done; when the medium is whole, folds its parts, writes the result as JSON, replaces the medium's
vectors, and says ``media.tagged``. What comes later folds again and is a new revision if it
changed anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from consumers.results.completeness import Completeness
from consumers.results.fold import Folded, Thresholds, fold, unfoldable
from consumers.results.write import ResultWriter
from core.envelope import Event
from core.errors import OutageError, OwnershipLostError
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
from core.results.parts import MediaParts, PartStore
from core.runtime.retry import RetryPolicy
from core.runtime.stage import Context, Output, Publish, Stage
from core.runtime.waiting import pause

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ResultsOptions:
    """Attributes:
    every_s: revisions of one medium are at least this many seconds apart.
    partial_after_s: a medium without progress for so many seconds is announced as partial.
    """

    every_s: float = 1.0
    partial_after_s: float = 900.0


@dataclass(slots=True)
class _Open:
    """A medium that may need an announcement."""

    partition: int
    completeness: Completeness
    progressed: float
    closing: asyncio.Lock = field(default_factory=asyncio.Lock)
    announced: float = float("-inf")
    dirty: bool = True
    folding: asyncio.Task[None] | None = None
    left: asyncio.Event = field(default_factory=asyncio.Event)
    partial_said: bool = False


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
        self._publish: Publish | None = None

    async def open(self, publish: Publish) -> None:
        self._publish = publish

    async def background(self) -> None:
        await self._watch_progress()

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Whatever was stored and perhaps not announced is looked at again."""
        for partition in sorted({tp.partition for tp in partitions}):
            for media in await self._parts.open_media(partition):
                await self._known(media, partition)
                self._look(media)

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        numbers = {tp.partition for tp in partitions}
        leaving = [media for media, known in self._open.items() if known.partition in numbers]
        folding = [task for media in leaving if (task := self._open[media].folding)]
        for media in leaving:
            self._open.pop(media).left.set()
        # What is being announced may end; what only waits for its turn is the next owner's.
        await asyncio.gather(*folding, return_exceptions=True)

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        if isinstance(event.data, DeadLetter) and not _about_a_medium(event.data):
            return []
        media = event.subject
        known = await self._known(media, context.tp.partition)
        # Never between the last look at a medium and the removal of its marker: the part would
        # be stored, its event done, and nothing left that says so.
        async with known.closing:
            await self._parts.put_part(context.tp.partition, event, context.offset)
            known.dirty = True
            self._open[media] = known
        known.completeness.add(event, context.offset)
        known.progressed = asyncio.get_running_loop().time()
        known.partial_said = False
        self._look(media)
        return []

    async def _known(self, media: str, partition: int) -> _Open:
        known = self._open.get(media)
        if known is None:
            completeness = Completeness.of(await self._parts.parts(media))
            now = asyncio.get_running_loop().time()
            known = self._open[media] = _Open(partition, completeness, now)
        return known

    def _look(self, media: str) -> None:
        known = self._open[media]
        if known.completeness.whole and known.folding is None:
            known.folding = asyncio.create_task(self._announce(media, known))

    async def _announce(self, media: str, known: _Open) -> None:
        loop = asyncio.get_running_loop()
        failures = postponed = 0
        try:
            while known.dirty and self._open.get(media) is known:
                due = known.announced + self._options.every_s
                await pause(max(0.0, due - loop.time()), known.left)
                if known.left.is_set():
                    break
                known.dirty = False
                try:
                    await self._fold(media, known)
                    known.announced = loop.time()
                except OwnershipLostError:
                    raise
                except OutageError as outage:
                    known.dirty = True
                    postponed += 1
                    _log.warning("announcement_postponed", media_id=media, reason=str(outage))
                    await pause(self._policy.delay(postponed), known.left)
                except Exception as error:
                    failures += 1
                    _log.exception("announcement_failed", media_id=media, attempt=failures)
                    if failures >= self._policy.max_attempts:
                        await self._give_up(media, known, error)
                        break
                    known.dirty = True
                    await pause(self._policy.delay(failures), known.left)
        except OwnershipLostError as lost:
            _log.info("announcement_dropped", media_id=media, reason=str(lost), redone_by="owner")
        except Exception:
            # The marker stays, so the next event or start looks at the medium again.
            _log.exception("announcement_abandoned", media_id=media, lost="nothing")
        finally:
            known.folding = None

    async def _fold(self, media: str, known: _Open) -> None:
        parts = await self._parts.parts(media)
        folded = fold(media, parts, self._thresholds)
        parent = _parent(parts)
        if parent is None or (folded.tagged.missing and not known.partial_said):
            return  # repeats made it look whole
        await self._say(parent, folded)
        if folded.tagged.missing:
            return
        await self._parts.forget(media, parts.superseded())
        await self._settle(media, known)

    async def _give_up(self, media: str, known: _Open, error: Exception) -> None:
        """Says that a medium cannot be folded: whoever waits for it learns why. Its parts stay,
        so that its next event gives it another try."""
        parts = await self._parts.parts(media)
        parent = _parent(parts)
        if parent is not None:
            reason = f"results: {type(error).__name__}: {error}"
            await self._say(parent, unfoldable(media, parts, reason))
            await self._settle(media, known)

    async def _settle(self, media: str, known: _Open) -> None:
        """Nothing about the medium waits any more, unless something came meanwhile."""
        async with known.closing:
            if not known.dirty and self._open.get(media) is known:
                await self._parts.close_media(known.partition, media)
                self._open.pop(media, None)  # gone already if it was revoked meanwhile

    async def _say(self, parent: Event[Data], folded: Folded) -> None:
        """Stores, then announces: a crash in between announces the same revision again."""
        revised = await self._writer.store(parent.pipeline, parent.root, folded)
        if revised is None or self._publish is None:
            return
        await self._publish(parent, [Output(revised.tagged, event_id=revised.event_id)])
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
                    and known.folding is None
                ):
                    known.partial_said = known.dirty = True
                    known.folding = asyncio.create_task(self._announce(media, known))


def _parent(parts: MediaParts) -> Event[Data] | None:
    """The event whose root, purpose and pipeline the result carries."""
    newest = parts.newest()
    if newest is not None:
        return newest[1]
    refused = [dead[""] for _, dead in sorted(parts.dead.items()) if "" in dead]
    uploads = [event for _, event in sorted(parts.uploads.items())]
    return next(iter((*refused, *uploads)), None)


def _about_a_medium(letter: DeadLetter) -> bool:
    """A dead letter of an event without a proper envelope belongs to no medium."""
    return bool(letter.origin_headers.get("ce_subject")) and letter.stage != "results"

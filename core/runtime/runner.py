"""The loop of a stage: fetch, hand to lanes, commit the finished prefix, follow rebalances.

Order of things, and why. Outputs are published before the offset is committed, so a crash between
the two repeats an event and never loses one; ids are derived, so the repeat is recognised. What is
committed is the contiguous prefix of finished offsets: an event that finished ahead of a slower
neighbour is done again after a crash rather than the neighbour being skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import structlog

from core import telemetry
from core.blobs.port import BlobStore
from core.envelope import Event
from core.errors import OutageError, OwnershipLostError, TaggingError
from core.events import Data
from core.log.port import EventLog, Fence, Record, Subscription, TopicPartition
from core.runtime.crashguard import CrashGuard, KilledProcessError
from core.runtime.delivery import Delivery
from core.runtime.halts import Steps
from core.runtime.lanes import CommitTracker
from core.runtime.publisher import Publisher, encode_outputs
from core.runtime.retry import OutageGate, RetryPolicy
from core.runtime.stage import Output, Stage
from core.runtime.workers import Workers
from core.state.port import StateStore
from core.tracing import traces as tracing

T = TypeVar("T")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """Bounds of one stage.

    Attributes:
        concurrency: lanes that run at the same time.
        max_in_flight: events read and not done, over all partitions; bounds memory.
        max_spread: offsets between the committed prefix and the newest in flight, a partition;
            bounds what a crash repeats.
        poll_s: longest wait of one fetch, in seconds.
        commit_every_s: commits are gathered this long.
        drain_s: how long a revoke waits for what is in flight.
        grace_s: how long a shutdown waits for what is in flight.
    """

    concurrency: int = 16
    max_in_flight: int = 64
    max_spread: int = 128
    poll_s: float = 1.0
    commit_every_s: float = 0.05
    drain_s: float = 20.0
    grace_s: float = 20.0


class _Work(NamedTuple):
    record: Record
    tracker: CommitTracker


class StageRunner:
    """Runs one stage as one member of its consumer group."""

    def __init__(
        self,
        stage: Stage,
        log: EventLog,
        blobs: BlobStore,
        state: StateStore,
        options: RunnerOptions | None = None,
        policy: RetryPolicy | None = None,
        group: str | None = None,
    ) -> None:
        self.stage = stage
        self.group = group or stage.name
        self.failure: BaseException | None = None
        self._topics = [model.topic for model in stage.reads]
        self._log = log
        self._blobs = blobs
        self._options = options or RunnerOptions()
        self._policy = policy or RetryPolicy()
        self.gate = OutageGate(stage.name, self._policy)
        self._publisher = Publisher(log, self._fence)
        steps = Steps(self.group, state)
        self._delivery = Delivery(
            stage,
            blobs,
            self._publisher,
            self._policy,
            self.gate,
            lambda record: self._patiently(lambda: steps.told(record)),
        )
        self._guard = CrashGuard(self.group, state, self._patiently)
        self._workers: Workers[_Work] = Workers(self._options.concurrency, self._do)
        self._trackers: dict[TopicPartition, CommitTracker] = {}
        self._paused: set[TopicPartition] = set()
        self._moved = asyncio.Event()
        self._stopping = asyncio.Event()
        self._subscription: Subscription | None = None

    @property
    def in_flight(self) -> int:
        return self._workers.in_flight

    @property
    def joined(self) -> bool:
        """Whether it is a member of its group; before, models are loaded and stores are found."""
        return self._subscription is not None

    def stop(self) -> None:
        """Asks for an ordered end; :meth:`run` returns when it is reached."""
        self._stopping.set()
        self._workers.ended.set()

    async def run(self) -> None:
        """Runs until :meth:`stop`; raises what stopped it otherwise."""
        await self._patiently(lambda: self.stage.open(self._publish))
        subscription = self._subscription = await self._patiently(
            lambda: self._log.subscribe(self.group, self._topics, self)
        )
        committer = asyncio.create_task(self._commit_loop())
        try:
            await self._fetch_loop(subscription)
        except BaseException as error:
            self.failure = self.failure or error
        # First nothing new is fetched, then what is in flight ends or is abandoned (close calls
        # `revoked`), then its outputs stand in the log and the prefix is committed, and only then
        # do we leave the group: a leaver with work in flight would have it done twice.
        try:
            await subscription.close()
        except OutageError as outage:
            _log.warning("leave_postponed", stage=self.stage.name, reason=str(outage))
        committer.cancel()
        await asyncio.gather(committer, return_exceptions=True)
        await self.stage.close()
        if self.failure is None:
            return
        _log.error("stage_stopped", stage=self.stage.name, reason=str(self.failure), lost="nothing")
        raise self.failure

    # -- fetching and lanes ---------------------------------------------------------------------

    async def _fetch_loop(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            room = self._options.max_in_flight - self._workers.in_flight
            if room <= 0:
                await self._wait_for_room(subscription)
                continue
            self._balance_pauses(subscription)
            records = await self._patiently(partial(self._fetch, subscription, room))
            for record in records:
                self._accept(record)
            self._workers.start()
        if self.failure is not None:
            raise self.failure

    async def _wait_for_room(self, subscription: Subscription) -> None:
        """Waits for an event to end; polls now and then with all partitions paused, because a
        member that never polls is thrown out of its group."""
        ended = self._workers.ended
        ended.clear()
        try:
            await asyncio.wait_for(ended.wait(), self._options.poll_s)
        except TimeoutError:
            subscription.pause(subscription.assignment)
            self._paused = set(subscription.assignment)
            # A rebalance in here starts over with nothing paused, and may hand out a record.
            for record in await self._patiently(lambda: subscription.fetch(1, 0)):
                self._accept(record)
            self._workers.start()

    async def _fetch(self, subscription: Subscription, room: int) -> list[Record]:
        """One fetch, given up when the stage is asked to stop."""
        fetch = asyncio.create_task(subscription.fetch(room, self._options.poll_s))
        stop = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((fetch, stop), return_when=asyncio.FIRST_COMPLETED)
            return fetch.result() if fetch.done() else []
        finally:
            fetch.cancel()
            stop.cancel()
            await asyncio.gather(fetch, stop, return_exceptions=True)

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call for as long as an outage lasts."""
        while True:
            try:
                result = await call()
            except OutageError as outage:
                if self._stopping.is_set():
                    raise  # nobody waits for the dependency any more
                await self.gate.outage(outage)
            else:
                self.gate.recovered()
                return result

    def _balance_pauses(self, subscription: Subscription) -> None:
        full = {
            tp
            for tp, tracker in self._trackers.items()
            if tracker.in_flight >= self._options.max_spread
        }
        if full != self._paused:
            subscription.pause(full - self._paused)
            subscription.resume(self._paused - full)
            self._paused = full

    def _accept(self, record: Record) -> None:
        tracker = self._trackers.get(record.tp)
        if tracker is None or not tracker.deliver(record.offset):
            return  # revoked since it was fetched, or delivered before
        self._workers.add(self._lane(record), _Work(record, tracker))

    def _lane(self, record: Record) -> str:
        headers = record.headers
        if self.stage.lane == "frame" and "ce_frame" in headers:
            return headers["ce_frame"]
        return headers.get("ce_subject") or record.key or f"{record.partition}/{record.offset}"

    async def _do(self, work: _Work) -> None:
        record, tracker = work

        def owned() -> bool:
            return self._owns(record.tp, tracker)

        try:
            if self._guard.cautious:
                await self._deliver_watched(record, owned)
            else:
                await self._delivery.deliver(record, owned)
            tracker.finish(record.offset)
            self._moved.set()
        except (OwnershipLostError, OutageError) as lost:
            # Its offset stays unfinished, so nothing behind it is committed; the next fetch
            # learns who owns the partition now. An outage comes here when nobody waits for its end.
            _log.info("event_dropped", stage=self.stage.name, reason=str(lost), redone_by="owner")
        except Exception as error:
            self._fail(error)
        finally:
            self.gate.left()
            if self._paused and self._subscription is not None:
                self._balance_pauses(self._subscription)  # wakes a fetch that waits

    async def _deliver_watched(self, record: Record, owned: Callable[[], bool]) -> None:
        async with self._guard.watch(record) as deaths:
            if deaths >= self._policy.max_deaths:
                error = KilledProcessError(f"the process died {deaths} times handling this")
                await self._delivery.bury(record, owned, error, deaths)
            else:
                await self._delivery.deliver(record, owned)

    def _fail(self, error: Exception) -> None:
        """Stops the stage; offsets stay where they are."""
        self.failure = self.failure or error
        self.stop()

    # -- committing -----------------------------------------------------------------------------

    async def _commit_loop(self) -> None:
        while True:
            await self._moved.wait()
            await asyncio.sleep(self._options.commit_every_s)
            self._moved.clear()
            await self._commit(self._trackers)
            telemetry.IN_FLIGHT.labels(self.stage.name).set(self._workers.in_flight)
            telemetry.PAUSED.labels(self.stage.name).set(self.gate.closed)

    async def _commit(self, trackers: Mapping[TopicPartition, CommitTracker]) -> None:
        moved = {
            tp: (tracker, offset)
            for tp, tracker in trackers.items()
            if (offset := tracker.committable()) is not None
        }
        if not moved or self._subscription is None:
            return
        try:
            await self._subscription.commit({tp: offset for tp, (_, offset) in moved.items()})
        except OwnershipLostError as lost:
            # Whoever owns them now repeats what we did not get to commit. That may be ourselves,
            # by a new assignment that came meanwhile: its trackers are not touched.
            _log.warning("commit_refused", stage=self.stage.name, reason=str(lost))
            self._forget(tp for tp, (tracker, _) in moved.items() if self._owns(tp, tracker))
        except OutageError as outage:
            _log.warning("commit_postponed", stage=self.stage.name, reason=str(outage))
            self._moved.set()
        else:
            for tp, (tracker, offset) in moved.items():
                tracker.committed(offset)
                self._guard.cleared(tp, offset)

    def _owns(self, tp: TopicPartition, tracker: CommitTracker) -> bool:
        """Whether the assignment that the tracker belongs to still holds."""
        return self._trackers.get(tp) is tracker

    # -- ownership ------------------------------------------------------------------------------

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        unclean = await self._guard.unclean(partitions)
        if unclean:
            await self._patiently(lambda: self._find_suspects(unclean))
        await self._guard.mark(partitions - unclean)
        await self._patiently(lambda: self.stage.assigned(partitions))
        for tp in partitions:
            self._trackers[tp] = CommitTracker()
        _log.info(
            "partitions_taken",
            stage=self.stage.name,
            count=len(partitions),
            left_by_a_crash=len(unclean),
        )

    async def _find_suspects(self, partitions: Collection[TopicPartition]) -> None:
        committed = await self._log.committed(self.group)
        begin = await self._log.begin_offsets(self._topics)
        end = await self._log.end_offsets(self._topics)
        spread = self._options.max_spread
        self._guard.suspect(
            {
                tp: min(start + spread, end[tp])
                for tp in partitions
                if (start := max(committed.get(tp, 0), begin[tp])) < end[tp]
            }
        )

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        limit = self._options.grace_s if self._stopping.is_set() else self._options.drain_s
        self._workers.drop(lambda work: work.record.tp in partitions)
        await self._workers.drain(lambda work: work.record.tp in partitions, limit)
        await self.stage.revoked(partitions)
        await self._publisher.flushed()
        await self._commit({tp: self._trackers[tp] for tp in partitions if tp in self._trackers})
        self._forget(partitions)
        try:
            await self._guard.leave(partitions)
        except OutageError as outage:
            _log.warning("mark_left_behind", stage=self.stage.name, reason=str(outage))

    def _forget(self, partitions: Iterable[TopicPartition]) -> None:
        for tp in list(partitions):
            self._trackers.pop(tp, None)
            self._paused.discard(tp)

    # -- publishing -----------------------------------------------------------------------------

    def _fence(self) -> Fence | None:
        return self._subscription.fence if self._subscription is not None else None

    async def _publish(self, parent: Event[Data], outputs: Sequence[Output]) -> None:
        if self._subscription is None:
            raise TaggingError(f"{self.stage.name}: publishing before the first assignment")
        messages = await encode_outputs(
            self.stage.name, parent, outputs, self.stage.pipeline, self._blobs
        )
        await self._publisher.publish(messages)
        tracing.published(messages, parent.traceparent)

"""The loop of a stage: fetch, hand to lanes, commit the finished prefix, follow rebalances.

Order of things, and why. Outputs are published before the offset is committed, so a crash between
the two repeats an event and never loses one; ids are derived, so the repeat is recognised. What is
committed is the contiguous prefix of finished offsets: an event that finished ahead of a slower
neighbour is done again after a crash rather than the neighbour being skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from core import telemetry
from core.blobs.port import BlobStore
from core.envelope import Event
from core.errors import AbandonedError, OutageError, StageStopError
from core.events import Data
from core.log.port import EventLog, Fence, Record, Subscription, TopicPartition
from core.runtime.committer import Committer
from core.runtime.crashguard import CrashGuard, KilledProcessError
from core.runtime.delivery import Delivery
from core.runtime.halts import Steps
from core.runtime.publisher import Publisher, encode_outputs
from core.runtime.retry import OutageGate, RetryPolicy
from core.runtime.stage import Output, Stage
from core.runtime.supervised import supervised
from core.runtime.waiting import unless
from core.runtime.window import Window, Work
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
        max_spread: offsets from what is committed to the newest event begun, a partition; bounds
            what a crash repeats, and what is watched after one.
        poll_s: longest wait of one fetch, in seconds.
        commit_every_s: commits are gathered this long, unless the spread is reached.
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
        self._workers: Workers[Work] = Workers(self._options.concurrency, self._do)
        self._window = Window(self._options.max_spread)
        self._paused: set[TopicPartition] = set()
        self._committer = Committer(
            stage.name,
            lambda: self._subscription,
            self._window,
            self._guard,
            self._options.commit_every_s,
            self._patiently,
            self._go_on,
        )
        self._stopping = asyncio.Event()
        self._subscription: Subscription | None = None

    @property
    def in_flight(self) -> int:
        """Events read and not done."""
        return self._workers.in_flight + self._window.held

    @property
    def joined(self) -> bool:
        """Whether it is a member of its group; before, models are loaded and stores are found."""
        return self._subscription is not None

    def stop(self) -> None:
        """Asks for an ordered end; :meth:`run` returns when it is reached. Whoever waits for a
        dependency or for another try waits no longer."""
        self._stopping.set()
        self._workers.ended.set()
        self.gate.end()

    async def run(self) -> None:
        """Runs until :meth:`stop`; raises what stopped it otherwise."""
        name = self.stage.name
        # What is entered first ends last. First nothing new is fetched; then what is in flight
        # ends or is abandoned, its outputs stand in the log and the prefix is committed, and only
        # then do we leave the group (closing calls `revoked`): a leaver with work in flight would
        # have it done twice. What runs beside the events ends after the last of them, for they may
        # wait for it. The stage closes when nothing uses it any more.
        try:
            with (
                telemetry.IN_FLIGHT.read(name, lambda: self.in_flight),
                telemetry.PAUSED.read(name, lambda: self.gate.closed),
            ):
                async with self._stage_open(), supervised(self._fail) as beside:
                    beside.start(f"{name}: commits", self._committer.run())
                    beside.start(f"{name}: background", self.stage.background())
                    async with self._member() as subscription:
                        await self._fetch_loop(subscription)
        except BaseException as error:
            self._fail(error)
        if self.failure is None:
            return
        _log.error("stage_stopped", stage=name, reason=str(self.failure), lost="nothing")
        raise self.failure

    @asynccontextmanager
    async def _stage_open(self) -> AsyncIterator[None]:
        try:
            await self._patiently(lambda: self.stage.open(self._publish))
            yield
        finally:
            await self.stage.close()

    @asynccontextmanager
    async def _member(self) -> AsyncIterator[Subscription]:
        subscription = self._subscription = await self._patiently(
            lambda: self._log.subscribe(self.group, self._topics, self)
        )
        try:
            yield subscription
        except BaseException as error:
            self._fail(error)  # before we leave, so that nobody waits for long
            raise
        finally:
            try:
                await subscription.close()
            except OutageError as outage:
                _log.warning("leave_postponed", stage=self.stage.name, reason=str(outage))

    def _fail(self, error: BaseException) -> None:
        """Stops the stage; offsets stay where they are."""
        if isinstance(error, OutageError) and self._stopping.is_set():
            return  # asked to stop, nobody waited for the dependency any more
        self.failure = self.failure or error
        self.stop()

    # -- fetching and lanes ---------------------------------------------------------------------

    async def _fetch_loop(self, subscription: Subscription) -> None:
        while not self._stopping.is_set():
            room = self._options.max_in_flight - self.in_flight
            if room <= 0:
                await self._wait_for_room(subscription)
                continue
            self._balance_pauses(subscription)
            limit = min(room, self._window.share)
            self._accept(await self._patiently(partial(self._fetch, subscription, limit)))

    async def _wait_for_room(self, subscription: Subscription) -> None:
        """Waits for an event to end; polls now and then with all partitions paused, because a
        member that never polls is thrown out of its group."""
        ended = self._workers.ended
        ended.clear()
        try:
            async with asyncio.timeout(self._options.poll_s):
                await ended.wait()
        except TimeoutError:
            subscription.pause(subscription.assignment)
            self._paused = set(subscription.assignment)
            # A rebalance in here starts over with nothing paused, and may hand out a record.
            self._accept(await self._patiently(lambda: subscription.fetch(1, 0)))

    async def _fetch(self, subscription: Subscription, limit: int) -> list[Record]:
        """One fetch, given up when the stage is asked to stop."""
        fetch = subscription.fetch(limit, self._options.poll_s)
        return await unless(self._stopping, fetch) or []

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeats a call for as long as an outage lasts, or until the stage is asked to stop."""
        try:
            while True:
                try:
                    result = await call()
                except OutageError as outage:
                    await self.gate.outage(outage)
                else:
                    self.gate.recovered()
                    return result
        finally:
            self.gate.left()

    def _balance_pauses(self, subscription: Subscription) -> None:
        full = self._window.full()
        if full != self._paused:
            subscription.pause(full - self._paused)
            subscription.resume(self._paused - full)
            self._paused = full

    def _accept(self, records: Iterable[Record]) -> None:
        for record in records:
            if (work := self._window.accept(record)) is not None:
                self._workers.add(self._lane(record), work)
        self._workers.start()
        if self._window.held:
            for tracker in self._window:
                self._committer.press(tracker)

    def _lane(self, record: Record) -> str:
        headers = record.headers
        if self.stage.lane == "frame" and "ce_frame" in headers:
            return headers["ce_frame"]
        return headers.get("ce_subject") or record.key or f"{record.partition}/{record.offset}"

    async def _do(self, work: Work) -> None:
        record, tracker = work

        def owned() -> bool:
            return self._window.holds(record.tp, tracker)

        try:
            if self._guard.cautious:
                await self._deliver_watched(record, owned)
            else:
                await self._delivery.deliver(record, owned)
            self._committer.finished(tracker, record.offset)
        except (AbandonedError, OutageError) as reason:
            # Its offset stays unfinished, so nothing behind it is committed; the next fetch
            # learns who owns the partition now. An outage comes here when nobody waits for its end.
            _log.info("event_dropped", stage=self.stage.name, reason=str(reason), redone_by="owner")
        except asyncio.CancelledError as cancelled:
            if _asked_to_end():
                raise
            # Unheard, it would hold back its partition for ever.
            error = RuntimeError(f"{self.stage.name}: something a handler waited for was cancelled")
            error.__cause__ = cancelled
            self._fail(error)
        except BaseException as error:  # a panic of a Rust library is no Exception
            self._fail(error)
        finally:
            self.gate.left()

    async def _deliver_watched(self, record: Record, owned: Callable[[], bool]) -> None:
        async with self._guard.watch(record) as deaths:
            if deaths >= self._policy.max_deaths:
                error = KilledProcessError(f"the process died {deaths} times handling this")
                await self._delivery.bury(record, owned, error, deaths)
            else:
                await self._delivery.deliver(record, owned)

    def _go_on(self) -> None:
        """After a commit: what waited for it may begin, and be read."""
        for work in self._window.release():
            self._workers.add(self._lane(work.record), work)
        self._workers.start()
        if self._paused and self._subscription is not None:
            self._balance_pauses(self._subscription)  # wakes a fetch that waits

    # -- ownership ------------------------------------------------------------------------------

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        starts = await self._patiently(lambda: self._starts(partitions))
        unclean = await self._guard.unclean(partitions)
        if unclean:
            await self._patiently(lambda: self._suspect({tp: starts[tp] for tp in unclean}))
        await self._guard.mark(partitions - unclean)
        await self._patiently(lambda: self.stage.assigned(partitions))
        self._window.take(starts)
        _log.info(
            "partitions_taken",
            stage=self.stage.name,
            count=len(partitions),
            left_by_a_crash=len(unclean),
        )

    async def _starts(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        committed = await self._log.committed(self.group)
        begin = await self._log.begin_offsets(self._topics)
        return {tp: max(committed.get(tp, 0), begin[tp]) for tp in partitions}

    async def _suspect(self, starts: Mapping[TopicPartition, int]) -> None:
        """Whatever the owner before may have begun; it began nothing further than the spread."""
        end = await self._log.end_offsets(self._topics)
        spread = self._options.max_spread
        self._guard.suspect(
            {tp: min(start + spread, end[tp]) for tp, start in starts.items() if start < end[tp]}
        )

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        self._window.drop(partitions)
        self._workers.drop(lambda work: work.record.tp in partitions)
        await self._drain(lambda work: work.record.tp in partitions)
        await self.stage.revoked(partitions)
        await self._publisher.flushed()
        try:
            await self._committer.commit(partitions)
        except OutageError as outage:
            _log.warning("commit_left_out", stage=self.stage.name, reason=str(outage))
        # Of what was never taken over, or taken away, a crash of another may be marked.
        ours = self._window.owned(partitions)
        self._guard.forget(partitions - ours)
        self._window.forget(partitions)
        self._paused.difference_update(partitions)
        try:
            await self._guard.leave(ours)
        except OutageError as outage:
            _log.warning("mark_left_behind", stage=self.stage.name, reason=str(outage))

    async def _drain(self, wanted: Callable[[Work], bool]) -> None:
        """Waits for what is in flight; for less long as soon as the stage is asked to stop."""
        if not self._stopping.is_set():
            await unless(self._stopping, self._workers.drain(wanted, self._options.drain_s))
        if self._stopping.is_set():
            await self._workers.drain(wanted, self._options.grace_s)

    # -- publishing -----------------------------------------------------------------------------

    def _fence(self) -> Fence | None:
        return self._subscription.fence if self._subscription is not None else None

    async def _publish(self, parent: Event[Data], outputs: Sequence[Output]) -> None:
        if self._subscription is None:
            raise StageStopError(f"{self.stage.name}: publishing before the first assignment")
        messages = await encode_outputs(self.stage, parent, outputs, self._blobs)
        await self._publisher.publish(messages)
        tracing.published(messages, parent.traceparent)


def _asked_to_end() -> bool:
    """Whether somebody cancelled this task, and not just what it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

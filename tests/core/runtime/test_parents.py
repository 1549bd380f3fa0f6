"""Whatever runs beside a stage's events: its error stops the stage as an event's would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.envelope import Event
from core.errors import OutageError, SettingsError
from core.events import Data, DeadLetter, ItemsSegmented
from core.runtime.stage import BatchStage, Output
from tests.core.runtime.faults import ActingLog, failing
from tests.core.runtime.stages import (
    BOUNDS,
    Recorder,
    caught_up,
    create_topics,
    extracted,
    publish,
    running,
    said,
    until,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

EVENTS = [extracted(n) for n in range(400)]


class PanicException(BaseException):
    """As a Rust library raises it: no Exception."""


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log)
    return log


class Closing(Recorder):
    """Notes that it was closed."""

    closed = False

    async def close(self) -> None:
        self.closed = True


class Beside(Closing):
    """Has something to do beside its events."""

    def __init__(self, background: Callable[[], object]) -> None:
        super().__init__()
        self._background = background

    async def background(self) -> None:
        waits = self._background()
        if asyncio.iscoroutine(waits):
            await waits


@pytest.mark.parametrize("error", [SettingsError("no right to commit"), PanicException("rust")])
async def test_an_error_of_the_commits_stops_the_stage_and_nothing_is_lost(
    error: BaseException, tmp_path: Path, log: MemoryEventLog
) -> None:
    await publish(log, EVENTS)
    stage, heir, state = Closing(), Recorder(), MemoryStateStore()

    with pytest.raises(type(error)):
        async with running(stage, ActingLog(log, commit=failing(error)), state, tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    assert stage.closed
    assert sum((await log.committed("segment")).values()) == 0
    async with running(heir, log.another(), state, tmp_path):
        await until(lambda: caught_up(log, heir))
    assert {event.id for event in EVENTS} == {event_id for _, event_id in heir.handled}


@pytest.mark.parametrize("error", [SettingsError("contradiction"), PanicException("rust")])
async def test_an_error_beside_the_events_stops_the_stage(
    error: BaseException, tmp_path: Path, log: MemoryEventLog
) -> None:
    stage = Beside(failing(error))

    with pytest.raises(type(error)):
        async with running(stage, log, MemoryStateStore(), tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    assert stage.closed


async def test_what_runs_beside_the_events_ends_after_the_last_of_them(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    order: list[str] = []
    started, release = asyncio.Event(), asyncio.Event()

    async def beside() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            order.append("beside")

    async def slow() -> None:
        started.set()
        await release.wait()
        order.append("event")

    stage = Beside(beside)
    stage._behave = lambda event, context: slow()
    await publish(log, [extracted(1)])
    async with running(stage, log, MemoryStateStore(), tmp_path) as runner:
        await started.wait()
        runner.stop()
        release.set()

    assert order == ["event", "beside"]


@pytest.mark.parametrize("error", [PanicException("rust"), asyncio.CancelledError()])
async def test_a_handler_that_ends_in_no_usual_way_stops_the_stage_and_keeps_its_event(
    error: BaseException, tmp_path: Path, log: MemoryEventLog
) -> None:
    def behave(event: object, context: object) -> None:
        raise error

    await publish(log, [extracted(1)])
    with pytest.raises((PanicException, RuntimeError)):
        async with running(Recorder(behave), log, MemoryStateStore(), tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    assert sum((await log.committed("segment")).values()) == 0
    assert await said(log, DeadLetter.topic) == []


class Device(BatchStage[str, str]):
    """Panics on one medium."""

    name = "segment"
    reads = Recorder.reads

    def __init__(self, poison: str) -> None:
        super().__init__(batch_size=8, batch_wait_s=0.01)
        self._poison = poison

    async def load(self, event: Event[Data]) -> str:
        return event.subject

    def infer(self, batch: Sequence[str]) -> list[str]:
        if self._poison in batch:
            raise PanicException("index out of bounds")
        return list(batch)

    async def store(self, event: Event[Data], loaded: str, result: str) -> Sequence[Output]:
        frame = event.data.frame  # type: ignore[attr-defined]
        return [Output(ItemsSegmented(media_id=result, frame=frame))]


async def test_an_event_that_panics_on_the_device_is_given_up_and_its_neighbours_are_not(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    events = [extracted(n) for n in range(12)]
    stage = Device(events[5].subject)
    await publish(log, events)

    async with running(stage, log, MemoryStateStore(), tmp_path):
        await until(lambda: caught_up(log, stage))

    letters = await said(log, DeadLetter.topic)
    assert [letter.subject for letter in letters] == [events[5].subject]
    assert "index out of bounds" in letters[0].of(DeadLetter).data.reason
    assert len(await said(log, ItemsSegmented.topic)) == 11


@pytest.mark.parametrize("error", [SettingsError("no such topic"), OSError("torn")])
async def test_a_failed_subscribe_still_closes_the_stage(
    error: Exception, tmp_path: Path, log: MemoryEventLog
) -> None:
    stage = Closing()

    with pytest.raises(type(error)):
        async with running(
            stage, ActingLog(log, subscribe=failing(error)), MemoryStateStore(), tmp_path
        ) as runner:
            await until(lambda: runner.failure is not None)

    assert stage.closed


async def test_a_failed_leave_still_closes_the_stage(tmp_path: Path, log: MemoryEventLog) -> None:
    stage = Closing()
    leaving = ActingLog(log, close=failing(SettingsError("no right to leave")))

    with pytest.raises(SettingsError):
        async with running(stage, leaving, MemoryStateStore(), tmp_path) as runner:
            await until(lambda: runner.joined)

    assert stage.closed


async def test_a_leave_that_an_outage_disturbs_is_no_failure(
    tmp_path: Path, log: MemoryEventLog
) -> None:
    stage = Closing()
    leaving = ActingLog(log, close=failing(OutageError("the broker is away")))

    async with running(
        stage, leaving, MemoryStateStore(), tmp_path, replace(BOUNDS, poll_s=0.01)
    ) as runner:
        await until(lambda: runner.joined)

    assert stage.closed

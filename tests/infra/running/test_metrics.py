"""What ``/metrics`` says during an outage, when it matters most."""

from __future__ import annotations

import asyncio
import math
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.errors import OutageError
from core.settings import Settings
from infra.running.worker import StageWorker, Worker, run_worker
from tests.core.runtime.stages import Recorder, caught_up, create_topics, extracted, publish, until
from tests.infra.running.stages import small_engine
from tests.infra.running.test_endpoint import get
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.servers.process import free_port

NAME = "segment"


class Metrics:
    """What a process exports of one stage."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __call__(self, series: str, stage: str = NAME) -> float | None:
        try:
            status, text = await to_thread(get, self._port, "/metrics")
        except OSError:
            return None  # the process has just begun
        assert status == 200
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == series and sample.labels.get("stage") == stage:
                    return sample.value
        return None

    async def until(self, series: str, value: float) -> None:
        async def says() -> bool:
            return await self(series) == value

        await until(says)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, http_port=free_port())


@pytest.fixture
async def log() -> MemoryEventLog:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log)
    return log


@asynccontextmanager
async def at_work(
    settings: Settings, log: MemoryEventLog, stage: Recorder
) -> AsyncIterator[Metrics]:
    """A process of the stage, and what it exports."""
    stop = asyncio.Event()

    @asynccontextmanager
    async def opening() -> AsyncIterator[Worker]:
        async with small_engine(settings, log, stage) as engine:
            yield StageWorker(engine)

    running = asyncio.create_task(run_worker(settings, opening, stop, [NAME]))
    try:
        yield Metrics(settings.http_port)
    finally:
        stop.set()
        await running


async def test_an_outage_of_a_store_is_exported_while_it_lasts(
    settings: Settings, log: MemoryEventLog
) -> None:
    away = True

    def behave(event: object, context: object) -> None:
        if away:
            raise OutageError("the blob store is away")

    stage = Recorder(behave)
    await publish(log, [extracted(n) for n in range(10)])
    async with at_work(settings, log, stage) as metrics:
        await metrics.until("tagger_paused", 1)
        await metrics.until("tagger_in_flight", 10)
        assert await metrics("tagger_lag_events") == 10

        away = False
        await until(lambda: caught_up(log, stage))
        await metrics.until("tagger_paused", 0)
        await metrics.until("tagger_in_flight", 0)


async def test_an_outage_of_the_log_is_exported_while_it_lasts(
    settings: Settings, log: MemoryEventLog
) -> None:
    async with at_work(settings, log, Recorder()) as metrics:
        await metrics.until("tagger_paused", 0)
        log.broker.away = True
        await metrics.until("tagger_paused", 1)
        log.broker.away = False
        await metrics.until("tagger_paused", 0)


async def test_a_backlog_that_nobody_can_ask_for_is_no_number(
    settings: Settings, log: MemoryEventLog
) -> None:
    log.broker.away = True
    async with at_work(settings, log, Recorder()) as metrics:
        await metrics.until("tagger_paused", 1)

        assert math.isnan(await metrics("tagger_lag_events") or 0.0)


async def test_a_process_that_cannot_even_start_says_that_its_stages_wait(
    settings: Settings,
) -> None:
    @asynccontextmanager
    async def opening() -> AsyncIterator[Worker]:
        raise OutageError("the broker is away")
        yield

    stop = asyncio.Event()
    running = asyncio.create_task(run_worker(settings, opening, stop, ["frames", "segment"]))
    metrics = Metrics(settings.http_port)
    await metrics.until("tagger_paused", 1)

    assert await metrics("tagger_paused", "frames") == 1
    stop.set()
    await running


async def test_of_two_engines_in_one_process_each_counts_and_one_that_ended_does_not(
    settings: Settings, log: MemoryEventLog
) -> None:
    release = asyncio.Event()
    stages = [Recorder(lambda event, context: release.wait()) for _ in range(2)]
    other = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(other)
    await publish(log, [extracted(n) for n in range(3)])
    await publish(other, [extracted(n) for n in range(4)])

    async with at_work(settings, log, stages[0]) as metrics:
        elsewhere = settings.model_copy(update={"http_port": 0})
        async with at_work(elsewhere, other, stages[1]):
            await metrics.until("tagger_in_flight", 7)
            release.set()
            await until(lambda: caught_up(other, stages[1]))
        await metrics.until("tagger_in_flight", 0)
    async with at_work(settings, log, Recorder()) as metrics:
        await metrics.until("tagger_paused", 0)

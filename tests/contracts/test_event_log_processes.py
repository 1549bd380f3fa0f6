"""What an event log promises to several processes, and across a sudden death."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.errors import BusyError
from core.log.port import EventLog, Record, TopicPartition, TopicSpec
from tests.contracts.adapters import LOGS, LogAdapter
from tests.contracts.reading import Ears, join, read

Start = Callable[..., Awaitable[Process]]
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=[a for a in LOGS if a.address is not None], ids=lambda a: a.name)
def log_adapter(request: pytest.FixtureRequest) -> LogAdapter:
    adapter: LogAdapter = request.param
    return adapter


@pytest.fixture(autouse=True)
async def topics(log: EventLog) -> None:
    await log.create_topics([TopicSpec("looks", partitions=4)])


@pytest.fixture
async def start(log_adapter: LogAdapter, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts another process on the same log; killed at the test's end."""
    running: list[Process] = []
    assert log_adapter.address is not None
    address = log_adapter.address(tmp_path)

    async def start_one(*arguments: str) -> Process:
        command = [sys.executable, "-m", "tests.contracts.client", address, *arguments]
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, cwd=ROOT)
        running.append(process)
        return process

    yield start_one
    for process in running:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def everything(log: EventLog) -> list[Record]:
    return [record async for record in log.tail(["looks"], "earliest", follow=False)]


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()


async def test_a_waiting_fetch_hears_another_process(log: EventLog, start: Start) -> None:
    subscription = await join(log, "g", ["looks"])
    waiting = asyncio.create_task(subscription.fetch(10, 60))

    await start("publish", "looks", "1", "a")

    assert [record.value for record in await waiting] == [b"a-0"]


async def test_processes_publish_beside_each_other(log: EventLog, start: Start) -> None:
    processes = [await start("publish", "looks", "80", name) for name in "abc"]
    assert [await process.wait() for process in processes] == [0, 0, 0]

    found = await everything(log)

    assert sorted(r.value or b"" for r in found) == sorted(
        f"{name}-{n}".encode() for name in "abc" for n in range(80)
    )
    for partition, end in (await log.end_offsets(["looks"])).items():
        assert [r.offset for r in found if r.tp == partition] == list(range(end))


async def test_a_group_has_one_process_or_shares(
    log_adapter: LogAdapter, log: EventLog, start: Start
) -> None:
    holder = await start("hold", "g", "looks")
    assert await line(holder) == "holding"

    if not log_adapter.shares:
        with pytest.raises(BusyError, match=f"process {holder.pid}"):
            await log.subscribe("g", ["looks"], Ears())
    holder.kill()
    await holder.wait()

    # A dead process holds nothing: the group goes on here.
    subscription = await log.subscribe("g", ["looks"], Ears())
    async with asyncio.timeout(60):
        while len(subscription.assignment) < 4:
            await subscription.fetch(1, 0.2)
    assert TopicPartition("looks", 3) in subscription.assignment


async def test_what_was_acknowledged_survives_kill_9(log: EventLog, start: Start) -> None:
    publisher = await start("publish", "looks", "1000000", "a")
    acknowledged = [await line(publisher) for _ in range(150)]
    publisher.kill()
    assert publisher.stdout is not None
    acknowledged += (await publisher.stdout.read()).decode().split("\n")[:-1]
    await publisher.wait()

    found = await everything(log)

    assert {value for value in acknowledged if value} <= {(r.value or b"").decode() for r in found}
    for tp, end in (await log.end_offsets(["looks"])).items():
        assert [record.offset for record in found if record.tp == tp] == list(range(end))
    assert len(await read(await log.subscribe("g", ["looks"], Ears()), len(found))) == len(found)

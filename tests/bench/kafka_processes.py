"""Bar: processes of one stage share its work; and what five stages in five processes reach.

    python -m tests.bench.kafka_processes [--events 2400] [--media 10000]

*Sharing*: a stage whose handler waits 50 ms, one event at a time (a busy device), on a topic of
eight partitions; the same events for one process and for four, which are all members before the
first event is said. Keys fall on partitions by their hash: of 2,400 events the busiest of four
processes gets 613, so that 3.9 is what can be reached; of 800 it gets 220, and 3.6.

*Chain*: the five no-op stages of ``engine_overhead``, each its own process, on one broker. Prints
media/s from the first event to the last commit, and the processor time of everybody who took part,
for on two cores that is where the time goes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import psutil

from core.blobs.folder import FolderBlobStore
from core.envelope import Event, encode
from core.events import Data, MediaUploaded
from core.log.kafka.log import KafkaEventLog, KafkaOptions
from core.log.port import TopicSpec
from core.runtime.runner import RunnerOptions, StageRunner
from core.runtime.stage import Context, Output, Stage
from core.telemetry import configure_logging
from tests.bench.engine_overhead import CHAIN, NoOp, announce, uploaded
from tests.memory_state import MemoryStateStore
from tests.servers.kafka import KafkaBroker

_WAIT_S = 0.05
_PARTITIONS = 8
_BUSY = "busy"
_ROOM = RunnerOptions(concurrency=256, max_in_flight=1024, max_spread=1024)


class Busy(Stage):
    """Waits as for a device, and says nothing."""

    name = _BUSY
    reads = (MediaUploaded,)
    lane = "media"

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        await asyncio.sleep(_WAIT_S)
        return []


def stages() -> dict[str, tuple[Stage, RunnerOptions]]:
    """What a child process can be asked to run."""
    chain = [NoOp(reads, says) for reads, says in pairwise(CHAIN)]
    alone = RunnerOptions(concurrency=1)
    return {_BUSY: (Busy(), alone)} | {stage.name: (stage, _ROOM) for stage in chain}


async def child(bootstrap: str, prefix: str, name: str) -> None:
    """Runs one stage until it is asked to stop; says so once it has partitions."""
    stage, options = stages()[name]
    log = await KafkaEventLog.open(KafkaOptions(bootstrap, prefix=prefix))
    with tempfile.TemporaryDirectory() as folder:
        blobs = await FolderBlobStore.open(Path(folder) / "blobs")
        runner = StageRunner(stage, log, blobs, MemoryStateStore(), options)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, runner.stop)
        task = asyncio.create_task(runner.run())
        while not runner.joined:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        print("joined", flush=True)
        await task
    await log.close()


@contextmanager
def children(bootstrap: str, prefix: str, *names: str) -> Iterator[list[psutil.Process]]:
    command = [sys.executable, "-m", "tests.bench.kafka_processes", "--child", bootstrap, prefix]
    running = [subprocess.Popen([*command, n], stdout=subprocess.PIPE, text=True) for n in names]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "joined\n"
        yield [psutil.Process(process.pid) for process in running]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def sharing(bootstrap: str, processes: int, events: int) -> float:
    """Events a second."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    log = await _log(bootstrap, prefix)
    with children(bootstrap, prefix, *[_BUSY] * processes):
        await asyncio.sleep(5)  # for the last of them to have its share
        started = time.perf_counter()
        await log.publish([encode(uploaded(n)) for n in range(events)])
        await _committed(log, _BUSY, events)
        seconds = time.perf_counter() - started
    await log.close()
    return events / seconds


async def chain(bootstrap: str, broker: int, media: int) -> None:
    prefix = f"{uuid.uuid4().hex[:8]}."
    log = await _log(bootstrap, prefix)
    names = [name for name in stages() if name != _BUSY]
    with children(bootstrap, prefix, *names) as processes:
        everybody = {"broker": psutil.Process(broker), "announcer": psutil.Process()}
        everybody |= dict(zip(names, processes, strict=True))
        before = {name: _cpu_s(process) for name, process in everybody.items()}
        started = time.perf_counter()
        announcing = asyncio.create_task(announce(log, media))
        await _committed(log, names[-1], media)
        seconds = time.perf_counter() - started
        await announcing
        spent = {name: _cpu_s(process) - before[name] for name, process in everybody.items()}
    await log.close()
    print(f"five no-op stages in five processes: {media / seconds:,.0f} media/s")
    print(f"  {seconds:.1f} s on {psutil.cpu_count()} cores, processor time:")
    for name, cpu_s in spent.items():
        print(f"  {cpu_s:6.1f} s  {name}")


async def _log(bootstrap: str, prefix: str) -> KafkaEventLog:
    log = await KafkaEventLog.open(KafkaOptions(bootstrap, prefix=prefix))
    names = [model.topic for model in CHAIN] + ["dead.letters"]
    await log.create_topics([TopicSpec(name, _PARTITIONS) for name in names])
    return log


async def _committed(log: KafkaEventLog, group: str, events: int) -> None:
    while sum((await log.committed(group)).values()) < events:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=2400)
    parser.add_argument("--media", type=int, default=10000)
    parser.add_argument("--child", nargs=3, metavar=("BOOTSTRAP", "PREFIX", "STAGE"))
    options = parser.parse_args()
    configure_logging("error")
    if options.child:
        asyncio.run(child(*options.child))
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = KafkaBroker(Path(folder))
        broker.start()
        try:
            one = asyncio.run(sharing(broker.bootstrap, 1, options.events))
            four = asyncio.run(sharing(broker.bootstrap, 4, options.events))
            print(f"waits of 50 ms: one process {one:.1f} events/s, four {four:.1f}")
            print(f"  four / one: {four / one:.2f} (bar: 3.6)")
            asyncio.run(chain(broker.bootstrap, broker.pid, options.media))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()

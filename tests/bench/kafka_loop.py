"""Bars: the runner's consume -> handle -> publish loop on Kafka, against two rivals in one run.

    python -m tests.bench.kafka_loop [--events 80000] [--rounds 3]

Events of 200 bytes, 1,000 keys, on one partition and on eight; each is read, parsed, handled, said
on and committed, at least once. One broker, one process at a time, the best of the rounds counts:

- *bare*: a hand-written aiokafka loop that takes a batch, parses each value, sends the next one,
  gathers the acknowledgements and commits. No envelope, no schema, no retries, no order of keys.
- *FastStream*: its Kafka app with manual acknowledgement (one commit an event), on fewer events.
- *ours*: ``StageRunner`` with everything on: CloudEvents, validation, derived ids, lanes, metrics.

Needs the extra ``bench`` for FastStream; without it that rival is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from core.blobs.folder import FolderBlobStore
from core.envelope import Event, encode
from core.events import Data, MediaAnalyzed, MediaFramed
from core.log.kafka.log import KafkaEventLog, KafkaOptions
from core.log.port import TopicSpec
from core.runtime.collecting import collect_seldom
from core.runtime.runner import RunnerOptions, StageRunner
from core.runtime.stage import Context, Output, Stage
from core.telemetry import configure_logging
from tests.memory_state import MemoryStateStore
from tests.servers.kafka import KafkaBroker

_KEYS = 1000
_BYTES = 200
_BATCH = 500


class SayOn(Stage):
    """Says what it heard to the next topic."""

    name = "say-on"
    reads = (MediaFramed,)
    lane = "media"

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        heard = event.of(MediaFramed).data
        return [Output(MediaAnalyzed(media_id=heard.media_id, clothing_description=heard.filename))]


def framed(number: int) -> Event[Data]:
    """An event whose data has 200 bytes, and the key of one of a thousand media."""
    media = f"{number % _KEYS:032x}"
    bare = MediaFramed(media_id=media, filename="", content_hash="", kind="picture")
    padding = "x" * (_BYTES - len(bare.model_dump_json()))
    data = bare.model_copy(update={"filename": padding})
    root = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    return Event(id=root, source="/bench", subject=media, root=root, data=data)


async def ours(bootstrap: str, partitions: int, events: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        async with filled(bootstrap, partitions, events) as made:
            log = made.log
            blobs = await FolderBlobStore.open(Path(folder) / "blobs")
            options = RunnerOptions(concurrency=256, max_in_flight=1024, max_spread=4096)
            runner = StageRunner(SayOn(), log, blobs, MemoryStateStore(), options)
            started = time.perf_counter()
            task = asyncio.create_task(runner.run())
            while sum((await log.committed(runner.group)).values()) < events:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            seconds = time.perf_counter() - started
            runner.stop()
            await task
            said = sum((await log.end_offsets([MediaAnalyzed.topic])).values())
            assert said == events, f"{said} of {events} events came through"
            return events / seconds


async def bare(bootstrap: str, partitions: int, events: int) -> float:
    async with filled(bootstrap, partitions, events) as made:
        prefix = made.prefix
        consumer = AIOKafkaConsumer(
            prefix + MediaFramed.topic,
            bootstrap_servers=bootstrap,
            group_id=f"{prefix}bare",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, compression_type="lz4"
        )
        await producer.start()
        started = time.perf_counter()
        await consumer.start()
        done = 0
        while done < events:
            batches = await consumer.getmany(timeout_ms=1000, max_records=_BATCH)
            sent = [
                await producer.send(
                    prefix + MediaAnalyzed.topic, _say_on(record.value), key=record.key
                )
                for records in batches.values()
                for record in records
            ]
            await asyncio.gather(*sent)
            if sent:
                await consumer.commit()
                done += len(sent)
        seconds = time.perf_counter() - started
        await consumer.stop()
        await producer.stop()
        return events / seconds


async def faststream(bootstrap: str, partitions: int, events: int) -> float:
    from faststream import AckPolicy
    from faststream.kafka import KafkaBroker as App
    from faststream.kafka import KafkaMessage

    async with filled(bootstrap, partitions, events) as made:
        prefix, done, all_done = made.prefix, 0, asyncio.Event()
        app = App(bootstrap, logger=None, enable_idempotence=True, compression_type="lz4")

        @app.subscriber(
            prefix + MediaFramed.topic,
            group_id=f"{prefix}faststream",
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
        )
        async def handle(message: KafkaMessage) -> None:
            nonlocal done
            key = message.raw_message.key
            await app.publish(_say_on(message.body), prefix + MediaAnalyzed.topic, key=key)
            await message.ack()
            done += 1
            if done == events:
                all_done.set()

        started = time.perf_counter()
        await app.start()
        await all_done.wait()
        seconds = time.perf_counter() - started
        await app.stop()
        return events / seconds


def _say_on(value: bytes) -> bytes:
    heard = json.loads(value)
    return json.dumps({"media_id": heard["media_id"], "text": heard["filename"]}).encode()


@dataclass(frozen=True)
class Filled:
    """A log whose first topic holds the events; ``prefix`` is how others call its topics."""

    log: KafkaEventLog
    prefix: str


@asynccontextmanager
async def filled(bootstrap: str, partitions: int, events: int) -> AsyncIterator[Filled]:
    prefix = f"{uuid.uuid4().hex[:8]}."
    log = await KafkaEventLog.open(KafkaOptions(bootstrap, prefix=prefix))
    names = (MediaFramed.topic, MediaAnalyzed.topic, "dead.letters")
    await log.create_topics([TopicSpec(name, partitions) for name in names])
    for start in range(0, events, 1000):
        await log.publish([encode(framed(n)) for n in range(start, min(start + 1000, events))])
    try:
        yield Filled(log, prefix)
    finally:
        await log.close()


async def contest(bootstrap: str, partitions: int, events: int, rounds: int) -> None:
    few = max(200, events // 40)
    speeds: dict[str, float] = {}
    for _ in range(rounds):
        for name, run, count in (("bare", bare, events), ("ours", ours, events)):
            speeds[name] = max(speeds.get(name, 0), await run(bootstrap, partitions, count))
    print(f"{partitions} partition(s): bare {speeds['bare']:,.0f}, ours {speeds['ours']:,.0f}")
    print(f"  ours / bare: {speeds['ours'] / speeds['bare']:.2f} (bar: 0.5)")
    try:
        theirs = await faststream(bootstrap, partitions, few)
    except ImportError:
        print("  FastStream is not installed: pip install '.[bench]'")
        return
    print(f"  ours / FastStream ({theirs:,.0f}): {speeds['ours'] / theirs:.0f}x (bar: 20x)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=80000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    configure_logging("error")
    collect_seldom()  # as `tagger` does; the rivals have it, too
    with tempfile.TemporaryDirectory() as folder:
        broker = KafkaBroker(Path(folder))
        broker.start()
        try:
            # The broker's code is compiled while it runs: the first contestant would pay for that.
            asyncio.run(bare(broker.bootstrap, 8, options.events))
            for partitions in (1, 8):
                asyncio.run(contest(broker.bootstrap, partitions, options.events, options.rounds))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()

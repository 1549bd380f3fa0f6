"""How fast the SQLite log is, beside a bare ``sqlite3`` loop that writes the same rows as durably.

``python -m tests.bench.log_speed [--folder DIR] [--events N]`` prints events per second and the
ratio to the bare loop. What one fsync costs decides the first two lines, so name a folder on the
disk in question.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from core.database.database import SqliteDatabase
from core.log.port import Message, Record, TopicPartition, TopicSpec
from core.log.sqlite.log import SqliteEventLog

_STAGES = 5
_VALUE = b"x" * 600
_HEADERS = {
    "ce_specversion": "1.0",
    "ce_id": "0" * 36,
    "ce_source": "/stages/frames",
    "ce_type": "frames.extracted.v1",
    "ce_time": "2026-01-01T00:00:00Z",
    "ce_subject": "a" * 32,
    "root": "0" * 36,
    "content-type": "application/json",
}


class _Ears:
    async def assigned(self, partitions: frozenset[TopicPartition]) -> None: ...
    async def revoked(self, partitions: frozenset[TopicPartition]) -> None: ...


def _messages(topic: str, start: int, count: int) -> list[Message]:
    return [Message(topic, f"{n:032x}", _VALUE, _HEADERS) for n in range(start, start + count)]


@contextlib.contextmanager
def _bare(path: Path) -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, time, key, headers, value)")
    yield db
    db.close()


def _bare_write(db: sqlite3.Connection, count: int, batch: int) -> None:
    headers = str(_HEADERS)
    for start in range(0, count, batch):
        rows = [(0, f"{n:032x}", headers, _VALUE) for n in range(start, start + batch)]
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO rows (time, key, headers, value) VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")


async def _publish(log: SqliteEventLog, count: int, batch: int, at_once: int) -> None:
    async def some(first: int) -> None:
        for start in range(first, count, batch * at_once):
            await log.publish(_messages("t0", start, batch))

    await asyncio.gather(*(some(number * batch) for number in range(at_once)))


async def _stage(log: SqliteEventLog, number: int, count: int) -> None:
    """Fetches, publishes each event by itself, commits what is done every few milliseconds."""
    subscription = await log.subscribe(f"bench-{number}", [f"t{number}"], _Ears())
    room = asyncio.Semaphore(256)
    done: dict[TopicPartition, int] = {}

    async def handle(record: Record) -> None:
        output = Message(f"t{number + 1}", record.key, record.value, record.headers)
        await log.publish([output], subscription.fence)
        done[record.tp] = max(done.get(record.tp, 0), record.offset + 1)
        room.release()

    async def commit() -> None:
        while True:
            await asyncio.sleep(0.01)
            if done:
                offsets = dict(done)
                done.clear()
                await subscription.commit(offsets)

    committing = asyncio.create_task(commit())
    async with asyncio.TaskGroup() as handlers:
        seen = 0
        while seen < count:
            for record in await subscription.fetch(64, 1.0):
                await room.acquire()
                handlers.create_task(handle(record))
                seen += 1
    await asyncio.sleep(0.05)
    committing.cancel()
    await subscription.close()


def _rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


async def _async_rate(count: int, work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return count / (time.perf_counter() - began)


async def _fetch(log: SqliteEventLog, count: int) -> None:
    subscription = await log.subscribe("reader", ["t0"], _Ears())
    seen = 0
    while seen < count:
        seen += len(await subscription.fetch(256, 1.0))
    await subscription.close()


async def _measure(folder: Path, events: int) -> Mapping[str, tuple[float, float]]:
    """Events per second of the log and, for comparison, of the bare loop."""
    found: dict[str, tuple[float, float]] = {}
    few = max(100, events // 100)
    log = SqliteEventLog(SqliteDatabase(folder / "engine.db"))
    await log.create_topics([TopicSpec(f"t{number}") for number in range(_STAGES + 1)])
    with _bare(folder / "bare.db") as db:
        for name, count, batch, at_once in (
            ("published one by one, each awaited", few, 1, 1),
            ("published one by one, 256 waiting", events, 1, 256),
            ("published in batches of 64", events, 64, 1),
            ("published in batches of 1000, 4 waiting", events, 1000, 4),
        ):
            ours = await _async_rate(count, _publish(log, count, batch, at_once))
            # The bare loop cannot wait for many at once: one by one is what it can do.
            bare_count = few if batch == 1 else count
            bare = _rate(bare_count, partial(_bare_write, db, bare_count, batch))
            found[name] = ours, bare

        total = sum((await log.end_offsets(["t0"])).values())
        rows: int = db.execute("SELECT max(id) FROM rows").fetchone()[0]
        bare = _rate(rows, db.execute("SELECT * FROM rows").fetchall)
        found["fetched, up to 256 at once"] = await _async_rate(total, _fetch(log, total)), bare
    await log.close()
    return found


async def _pipeline(folder: Path, media: int) -> float:
    """Media per second through five stages that do nothing but fetch, publish and commit."""
    log = SqliteEventLog(SqliteDatabase(folder / "pipeline.db"))
    await log.create_topics([TopicSpec(f"t{number}") for number in range(_STAGES + 1)])
    for start in range(0, media, 500):
        await log.publish(_messages("t0", start, min(500, media - start)))
    stages = asyncio.gather(*(_stage(log, number, media) for number in range(_STAGES)))
    rate = await _async_rate(media, stages)
    await log.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--events", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, (ours, bare) in asyncio.run(_measure(Path(folder), options.events)).items():
            print(f"{name:42} {ours:>9,.0f}/s   bare sqlite3 {bare:>9,.0f}/s   {ours / bare:5.2f}x")
        rate = asyncio.run(_pipeline(Path(folder), options.events // 4))
        print(f"{'five no-op stages, end to end':42} {rate:>9,.0f} media/s")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(f"{'most memory held':42} {memory:>9,.0f} MiB")


if __name__ == "__main__":
    main()

"""Bars: engine overhead (media/s through five no-op stages) and concurrency inside one partition.

    python -m tests.bench.engine_overhead [--media 5000]

One process, the SQLite log with every publish synced, one frame per medium, two cores. Prints
media/s end to end, resident memory on the way, and the ratio of a key-ordered stage whose handlers
wait 5 ms to the same waits one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import psutil

from core.blobs.folder import FolderBlobStore
from core.database.database import SqliteDatabase
from core.envelope import Event, encode
from core.events import (
    Data,
    Frame,
    FrameExtracted,
    ItemsEmbedded,
    ItemsMatched,
    ItemsSegmented,
    MediaTagged,
    MediaUploaded,
)
from core.log.port import EventLog, TopicSpec
from core.log.sqlite.log import SqliteEventLog
from core.runtime.runner import RunnerOptions, StageRunner
from core.runtime.stage import Context, Output, Stage
from core.state.sqlite import SqliteStateStore
from core.telemetry import configure_logging

CHAIN: tuple[type[Data], ...] = (
    *(MediaUploaded, FrameExtracted, ItemsSegmented, ItemsEmbedded, ItemsMatched, MediaTagged),
)


class NoOp(Stage):
    """Says the next topic's smallest event."""

    lane = "media"

    def __init__(self, reads: type[Data], says: type[Data]) -> None:
        self.name = f"to-{says.topic}"  # type: ignore[misc]
        self.reads = (reads,)  # type: ignore[misc]
        self._template = smallest(says)

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        media = event.subject
        changes: dict[str, object] = {"media_id": media}
        if "frame" in type(self._template).model_fields:
            changes["frame"] = FRAME.model_copy(update={"frame_id": f"{media}/0"})
        return [Output(self._template.model_copy(update=changes))]


class Waiting(Stage):
    """Waits 5 ms and says nothing."""

    name = "waiting"
    reads = (MediaUploaded,)
    lane = "media"

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        await asyncio.sleep(0.005)
        return []


FRAME = Frame(frame_id="m/0", blob_key="k", time_ms=0, timecode="", width=1, height=1)


def smallest(model: type[Data]) -> Data:
    """An event of the topic with nothing in it."""
    fields = {
        "media_id": "m",
        "frame": FRAME,
        "embedder": "none",
        "revision": 1,
        "status": "complete",
    }
    return model.model_validate({k: v for k, v in fields.items() if k in model.model_fields})


def uploaded(number: int, media: str | None = None) -> Event[Data]:
    media = media or f"{number:032x}"
    data = MediaUploaded(
        media_id=media,
        content_hash=media,
        uri=f"file:///{number}.jpg",
        filename=f"{number}.jpg",
        producer="bench",
        announcement=1,
        blob_key="k",
        content_type="image/jpeg",
        kind="picture",
        size=1,
    )
    root = f"root-{number}"
    return Event(id=root, source="/bench", subject=media, root=root, data=data)


async def overhead(folder: Path, media: int) -> list[float]:
    """Resident memory, in MiB, after each fifth of the media."""
    log, state, blobs = await opened(folder, 8)
    options = RunnerOptions(concurrency=256, max_in_flight=1024, max_spread=1024)
    runners = [
        StageRunner(NoOp(reads, says), log, blobs, state, options)
        for reads, says in pairwise(CHAIN)
    ]
    process = psutil.Process()
    started = time.perf_counter()
    tasks = [asyncio.create_task(runner.run()) for runner in runners]
    announcing = asyncio.create_task(announce(log, media))
    last = runners[-1]
    step = max(1, media // 5)
    done = reported = 0
    seen: list[float] = []
    while done < media:
        await asyncio.sleep(0.2)
        done = sum((await log.committed(last.group)).values())
        if done - reported >= step:
            reported = done
            memory = process.memory_info().rss / 2**20
            seen.append(memory)
            seconds = time.perf_counter() - started
            print(f"  {done:7d} media after {seconds:6.1f} s, {memory:.0f} MiB")
    seconds = time.perf_counter() - started
    await announcing
    for runner in runners:
        runner.stop()
    await asyncio.gather(*tasks)
    said = {
        record.headers["ce_id"] async for record in log.tail([MediaTagged.topic], "earliest", False)
    }
    if len(said) != media:
        raise RuntimeError(f"{len(said)} of {media} media came through")
    await state.close()
    await log.close()
    print(f"five no-op stages: {media / seconds:,.0f} media/s end to end (bar: 1,000)")
    return seen


async def announce(log: EventLog, media: int) -> None:
    for start in range(0, media, 500):
        await log.publish([encode(uploaded(n)) for n in range(start, min(start + 500, media))])


async def concurrency(folder: Path) -> None:
    log, state, blobs = await opened(folder, 1)
    events, keys = 2000, 20
    await log.publish([encode(uploaded(n, f"{n % keys:032x}")) for n in range(events)])
    options = RunnerOptions(concurrency=32, max_in_flight=256, max_spread=512)
    runner = StageRunner(Waiting(), log, blobs, state, options)
    started = time.perf_counter()
    task = asyncio.create_task(runner.run())
    while sum((await log.committed("waiting")).values()) < events:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    seconds = time.perf_counter() - started
    runner.stop()
    await task
    await state.close()
    await log.close()
    print(f"20 keys, 5 ms handlers: {events * 0.005 / seconds:.1f}x of serial (bar: 10)")


async def opened(
    folder: Path, partitions: int
) -> tuple[SqliteEventLog, SqliteStateStore, FolderBlobStore]:
    database = SqliteDatabase(folder / "engine.db")
    log, state = SqliteEventLog(database), SqliteStateStore(database)
    await log.create_topics(
        [TopicSpec(m.topic, partitions) for m in CHAIN] + [TopicSpec("dead.letters", partitions)]
    )
    return log, state, await FolderBlobStore.open(folder / "blobs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=int, default=5000)
    media = parser.parse_args().media
    configure_logging("error")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(overhead(Path(folder), media))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(concurrency(Path(folder)))


if __name__ == "__main__":
    main()

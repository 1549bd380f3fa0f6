"""Small stages and stores for tests of the runtime."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from core.blobs.folder import FolderBlobStore
from core.envelope import Event, decode, encode
from core.events import TOPICS, Data, Frame, FrameExtracted, ItemsSegmented, MediaUploaded
from core.ids import frame_id
from core.log.port import EventLog, TopicSpec
from core.runtime.retry import RetryPolicy
from core.runtime.runner import RunnerOptions, StageRunner
from core.runtime.stage import Context, Output, Publish, Stage
from core.runtime.supervised import supervised
from core.state.port import StateStore

QUICK = RetryPolicy(max_attempts=3, max_deaths=3, base_s=0.005, cap_s=0.02)
BOUNDS = RunnerOptions(
    concurrency=8, max_in_flight=16, max_spread=24, poll_s=0.05, commit_every_s=0.005
)


class Recorder(Stage):
    """Says ``items.segmented`` for each frame, and notes what it was given, in order."""

    name = "segment"
    reads = (FrameExtracted,)

    def __init__(self, behave: Callable[[Event[Data], Context], object] | None = None) -> None:
        self.handled: list[tuple[str, str]] = []
        self.attempts: list[int] = []
        self._behave = behave

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        self.attempts.append(context.attempt)
        if self._behave is not None:
            waits = self._behave(event, context)
            if asyncio.iscoroutine(waits):
                await waits
        frame = event.of(FrameExtracted).data.frame
        self.handled.append((event.subject, event.id))
        return [Output(ItemsSegmented(media_id=event.subject, frame=frame))]


def media_id(number: int) -> str:
    return f"{number:032x}"


def uploaded(number: int, **changes: object) -> Event[MediaUploaded]:
    media = media_id(number)
    fields = {
        "media_id": media,
        "content_hash": media * 2,
        "uri": f"file:///drop/{number}.jpg",
        "filename": f"{number}.jpg",
        "producer": "folder",
        "announcement": 1,
        "blob_key": f"media/{number}.jpg",
        "content_type": "image/jpeg",
        "kind": "picture",
        "size": 10,
        **changes,
    }
    root = f"root-{number}"
    data = MediaUploaded.model_validate(fields)
    return Event(id=root, source="/producers/test", subject=media, root=root, data=data)


def extracted(media: int, time_ms: int = 0) -> Event[FrameExtracted]:
    subject = media_id(media)
    identity = frame_id(subject, time_ms)
    frame = Frame(
        frame_id=identity, blob_key="f.jpg", time_ms=time_ms, timecode="", width=4, height=4
    )
    return Event(
        id=f"event-{media}-{time_ms}",
        source="/stages/frames",
        subject=subject,
        root=f"root-{media}",
        pipeline="p",
        frame=identity,
        data=FrameExtracted(media_id=subject, frame=frame),
    )


async def create_topics(log: EventLog, partitions: int = 3) -> None:
    await log.create_topics([TopicSpec(name, partitions) for name in TOPICS])


async def publish(log: EventLog, events: Sequence[Event[Data]]) -> None:
    await log.publish([encode(event) for event in events])


async def said(log: EventLog, topic: str) -> list[Event[Data]]:
    """Every event of a topic, repeats included."""
    return [decode(record) async for record in log.tail([topic], "earliest", follow=False)]


@asynccontextmanager
async def running(
    stage: Stage,
    log: EventLog,
    state: StateStore,
    folder: Path,
    options: RunnerOptions = BOUNDS,
    policy: RetryPolicy = QUICK,
) -> AsyncIterator[StageRunner]:
    """Runs a stage while the context is open; raises what stopped it."""
    blobs = await FolderBlobStore.open(folder / "blobs")
    runner = StageRunner(stage, log, blobs, state, options, policy)
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        runner.stop()
        await task
        await blobs.close()


@asynccontextmanager
async def at_work(stage: Stage, publish: Publish) -> AsyncIterator[None]:
    """A stage as the runner keeps it, without events: a test calls its handler."""
    try:
        await stage.open(publish)
        async with supervised() as tasks:
            tasks.start("background", stage.background())
            yield
    finally:
        await stage.close()


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Waits for a condition; fails after a generous deadline."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return
            await asyncio.sleep(0.005)


async def caught_up(log: EventLog, stage: Stage) -> bool:
    topics = [model.topic for model in stage.reads]
    return not any((await log.lag(stage.name, topics)).values())


def jitter(seed: int, most_s: float = 0.01) -> Callable[[Event[Data], Context], object]:
    """Handlers that take a random while."""
    source = random.Random(seed)

    async def wait() -> None:
        await asyncio.sleep(source.random() * most_s)

    return lambda event, context: wait()

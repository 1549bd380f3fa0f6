"""A life of the engine that ends badly: what the fixtures of formats were made by.

Ran at 2aa60b8; need not run on later code, which reads what this one wrote.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.adapters import Ports, open_ports
from infra.app import Engine, open_engine, open_stages
from infra.assembly import READS, Vision

from core.envelope import decode
from core.events import FrameExtracted, MediaTagged
from core.intake import Intake, Submission
from core.settings import Settings
from tests.chaos.tagger import Tagger
from tests.e2e.harness import settled
from tests.vision_standin import (
    StandinDetector,
    StandinEmbedder,
    StandinSegmenter,
    standin_vision,
)

DONE = ("red-blue.png", "purple.png", "done.mp4", "broken.jpg")
GROUP = "reader"
_SPAWN = multiprocessing.get_context("spawn")
_PATIENCE_S = 90.0


@dataclass
class Life:
    """Where it is lived.

    Attributes:
        media: the folder with every file, by name, and with the catalog and single files.
        tagger: the command line on the same stores.
        producer: the words behind ``tagger produce``, and its place.
        drop: puts a file where the producer finds it.
        mark: the mark of a file there.
    """

    settings: Settings
    tagger: Tagger
    media: Path
    producer: tuple[str, str]
    place: str
    drop: Callable[[Path], object]
    mark: Callable[[Path], str]
    dropped: int = field(default=0)

    async def run(self) -> tuple[str, bytes]:
        """Lives it; the key and the bytes of the frame that somebody took away."""
        async with self._working() as engine:
            await self._tagger("catalog", "add", str(self.media / "catalog"))
            await self._announce(*DONE)
            await self._tagger("submit", str(self.media / "submitted.png"), "--prompt", "footwear")
            await settled(engine)
            await self._tagger("dlq", "redrive", "--all")
            await settled(engine)
        await asyncio.to_thread(self._read)

        # A frame goes away before it is segmented: a dead letter that another try can mend.
        await self._announce("lost.png")
        await self._only("frames")
        frame = await self._take_frame()
        await self._only("segment")

        # kill -9 with a film half done; then again on one of the suspects.
        await self._announce("cut.mp4")
        await asyncio.to_thread(_killed, _embed, self.settings, tuple(READS), 1)
        await asyncio.to_thread(_killed, _embed, self.settings, ("embed",), 0)

        await self._announce("framed.png")
        await self._only("frames")
        await self._announce("uploaded.png")
        pending = self.media / "pending.png"
        self.drop(pending)
        submission = Submission(
            pending,
            f"{self.place}/{pending.name}",
            self.producer[0],
            place=self.place,
            mark=self.mark(pending),
            repeat=False,
        )
        await asyncio.to_thread(_killed, _announce, self.settings, submission)
        return frame

    @asynccontextmanager
    async def _working(self) -> AsyncIterator[Engine]:
        async with open_engine(self.settings, None, lambda _: standin_vision()) as engine:
            work = asyncio.create_task(engine.run())
            yield engine
            engine.stop()
            await work

    async def _only(self, *names: str) -> None:
        """Runs some stages until they have nothing to do."""
        async with open_stages(self.settings, names, lambda _: standin_vision()) as engine:
            work = asyncio.create_task(engine.run())
            await _handled(engine)
            engine.stop()
            await work

    async def _tagger(self, *arguments: str) -> None:
        await asyncio.to_thread(self.tagger.finish, *arguments, within_s=_PATIENCE_S)

    async def _announce(self, *names: str) -> None:
        for name in names:
            self.drop(self.media / name)
        self.dropped += len(names)
        await asyncio.to_thread(self._produce)

    def _produce(self) -> None:
        with self.tagger.running("produce", *self.producer) as run:
            assert run.until(self._announced, _PATIENCE_S), run.said()
            run.stop()

    def _announced(self) -> bool:
        async def count(ports: Ports) -> int:
            return len(await ports.state.keys(f"ledger/{self.producer[0]}/"))

        return self._ask(count) == self.dropped

    def _read(self) -> None:
        """A reader that is no stage reads all results so far."""
        tail = ("topics", "tail", MediaTagged.topic, "--group", GROUP, "--follow")
        with self.tagger.running(*tail) as run:
            assert run.until(self._all_read, _PATIENCE_S), run.said()
            run.stop()

    def _all_read(self) -> bool:
        async def left(ports: Ports) -> int:
            return sum((await ports.log.lag(GROUP, [MediaTagged.topic])).values())

        return self._ask(left) == 0

    def _ask(self, question: Callable[[Ports], Awaitable[int]]) -> int:
        async def ask() -> int:
            async with open_ports(self.settings) as ports:
                return await question(ports)

        return asyncio.run(ask())

    async def _take_frame(self) -> tuple[str, bytes]:
        async with open_ports(self.settings) as ports:
            newest = None
            async for record in ports.log.tail([FrameExtracted.topic], "earliest", False):
                if newest is None or record.timestamp >= newest.timestamp:
                    newest = record
            assert newest is not None
            key = decode(newest).of(FrameExtracted).data.frame.blob_key
            data = await ports.blobs.get(key)
            await ports.blobs.delete([key])
        return key, data


async def _handled(engine: Engine) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while True:
            lags = [
                await engine.ports.log.lag(runner.group, READS[runner.stage.name])
                for runner in engine.runners
            ]
            if not any(runner.in_flight for runner in engine.runners) and not any(
                sum(lag.values()) for lag in lags
            ):
                return
            await asyncio.sleep(0.1)


def _killed(work: Callable[..., None], *arguments: Any) -> None:
    """Runs a process that ends itself as ``kill -9`` does."""
    process = _SPAWN.Process(target=work, args=arguments)
    process.start()
    process.join(_PATIENCE_S)
    assert process.exitcode == -signal.SIGKILL, process.exitcode
    time.sleep(2)  # its children follow


class _Dying(StandinEmbedder):
    """Ends the process at a frame, once the others had the time to do the frames before."""

    def __init__(self, after: int) -> None:
        self._left = after

    def embed(self, crops: Sequence[Any]) -> Any:
        if self._left == 0:
            time.sleep(4)
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        return super().embed(crops)


def _embed(settings: Settings, stages: tuple[str, ...], after: int) -> None:
    async def run() -> None:
        vision = Vision(StandinDetector(), StandinSegmenter(), _Dying(after))
        async with open_stages(settings, stages, lambda _: vision) as engine:
            await engine.run()

    asyncio.run(run())


class _Killing:
    async def publish(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _announce(settings: Settings, submission: Submission) -> None:
    async def run() -> None:
        async with open_ports(settings) as ports:
            log: Any = _Killing()
            await Intake(log, ports.blobs, ports.state).announce_many([submission])

    asyncio.run(run())

"""A data folder with the real adapters of one machine, and a producer that watches beside it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.blobs.folder import FolderBlobStore
from core.blobs.port import BlobStore
from core.database.database import SqliteDatabase
from core.envelope import Event, decode
from core.errors import UndecodableError
from core.events import MODELS, MediaUploaded
from core.intake.intake import Intake
from core.log.port import EventLog, TopicSpec
from core.log.sqlite.log import SqliteEventLog
from core.ports import Ports
from core.state.port import StateStore
from core.state.sqlite import SqliteStateStore
from producers.folder import FolderProducer
from producers.folder_admission import Prober
from producers.options import FolderOptions

START, END = b"\xff\xd8", b"\xff\xd9"


def photo(text: str, size: int = 0) -> bytes:
    """Bytes that :class:`MarkerProber` takes for a picture, different for each text."""
    return START + text.encode().ljust(size, b".") + END


@dataclass
class Engine:
    """The adapters of one data folder; any of them may be replaced by one that fails."""

    data: Path
    log: EventLog
    blobs: BlobStore
    state: StateStore

    def intake(self, **replaced: Any) -> Intake:
        return Intake(replace(Ports(self.log, self.state, self.blobs), **replaced))

    async def uploads(self) -> list[Event[MediaUploaded]]:
        """Every ``media.uploaded`` in the log, repeats included."""
        records = self.log.tail([MediaUploaded.topic], "earliest", follow=False)
        return [decode(record).of(MediaUploaded) async for record in records]

    async def close(self) -> None:
        await self.log.close()
        await self.state.close()
        await self.blobs.close()


async def open_engine(data: Path) -> Engine:
    database = SqliteDatabase(data / "engine.db")
    log, state = SqliteEventLog(database), SqliteStateStore(database)
    await log.create_topics([TopicSpec(model.topic) for model in MODELS])
    return Engine(data, log, await FolderBlobStore.open(data / "blobs"), state)


class MarkerProber:
    """Takes for a picture what starts and ends like a JPEG; quick, and blind to what is between."""

    async def probe(self, path: Path, kind: str) -> object:
        data = path.read_bytes()  # a few bytes
        if data.startswith(START) and data.endswith(END):
            return None
        raise UndecodableError(f"not a {kind}: no markers")


class Unprobed:
    """Takes everything for a picture, so that only the settle rule stands in the way."""

    async def probe(self, path: Path, kind: str) -> object:
        return None


QUICK = {"settle_s": 0.1, "undecodable_after_s": 30.0, "rescan_s": 60.0, "poll_s": 0.2}


@asynccontextmanager
async def watching(
    engine: Engine,
    folder: Path,
    *,
    prober: Prober | None = None,
    intake: Intake | None = None,
    **options: Any,
) -> AsyncIterator[FolderProducer]:
    """A running producer; an error that ends it is raised on leaving."""
    producer = FolderProducer(
        folder,
        intake=intake or engine.intake(),
        state=engine.state,
        prober=prober or MarkerProber(),
        data_folder=engine.data,
        options=FolderOptions(**QUICK | options),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(producer.run(stop))
    try:
        yield producer
    finally:
        stop.set()
        await running


async def eventually(condition: Callable[[], object], deadline_s: float = 30.0) -> None:
    """Returns when the condition holds."""
    async with asyncio.timeout(deadline_s):
        while not condition():  # noqa: ASYNC110  # what is waited for knows no events
            await asyncio.sleep(0.01)


def names(folder: Path) -> set[str]:
    """What lies in a folder, hidden files included."""
    return {path.name for path in folder.iterdir()}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def announced(engine: Engine) -> dict[tuple[str, int], str]:
    """Content hash by (uri, announcement)."""
    events = await engine.uploads()
    assert len({event.id for event in events}) == len(events)
    return {(e.data.uri, e.data.announcement): e.data.content_hash for e in events}


def drop(path: Path, text: str, size: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo(text, size))
    return path

"""The whole engine over stand-in vision and real stores, on any event log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import TaggingError
from core.events import MediaTagged, Product
from core.intake.intake import Announced, Intake, Submission
from core.log.port import EventLog
from core.media.decode import Decoder
from core.ports import Ports
from core.results.keys import result_key
from core.results.parts import PartStore
from core.settings import RuntimeSettings, Settings
from core.vectors.port import VectorStore
from core.vision.port import Profile
from infra.contract.topics import embedded_topics
from infra.running.engine import Engine
from infra.wiring.adapters import open_decoder, open_ports, open_vectors
from infra.wiring.recipes import Materials
from infra.wiring.stages import RECIPES
from tests.vision_standin import png, standin_vision

PAINTS = ("red", "green", "blue", "black", "purple", "orange")


@dataclass
class Rig:
    """An engine's stores, and engines over them."""

    settings: Settings
    ports: Ports
    vectors: VectorStore
    stack: AsyncExitStack

    async def engine(
        self,
        ports: Ports | None = None,
        vision: Profile | None = None,
        decoder: Decoder | None = None,
    ) -> Engine:
        decoder = decoder or await self.decoder()
        vision, ports = vision or standin_vision(), ports or self.ports
        materials = Materials(self.settings, ports, vision, RECIPES, self.vectors, decoder)
        return Engine(materials, RECIPES)

    async def decoder(self) -> Decoder:
        return await self.stack.enter_async_context(open_decoder(self.settings))

    async def announce(self, *submissions: Submission) -> list[Announced]:
        intake = Intake(self.ports)
        outcomes = await intake.announce_many(submissions)
        return [outcome for outcome in outcomes if not isinstance(outcome, TaggingError)]

    async def results(self) -> dict[str, MediaTagged]:
        """The stored result of every medium, by its media id."""
        parts = PartStore(self.ports.state)
        found = {}
        for media, latest in (await parts.results()).items():
            key = result_key(media, latest.pipeline)
            found[media] = MediaTagged.model_validate_json(await self.ports.blobs.get(key))
        return found


@asynccontextmanager
async def rig(folder: Path, log: EventLog | None = None) -> AsyncIterator[Rig]:
    """Stores in a folder; ``log`` takes the place of its SQLite log."""
    settings = Settings(
        data_dir=folder,
        runtime=RuntimeSettings(partitions=3, concurrency=8, max_in_flight=16),
    )
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(open_ports(settings))
        if log is not None:
            await log.create_topics(embedded_topics(3))
            ports = Ports(log, ports.state, ports.blobs)
        vectors = await stack.enter_async_context(open_vectors(settings))
        yield Rig(settings, ports, vectors, stack)


@asynccontextmanager
async def running(*engines: Engine) -> AsyncIterator[None]:
    """Runs engines side by side; raises what stopped one."""
    tasks = [asyncio.create_task(engine.run()) for engine in engines]
    try:
        yield
    finally:
        for engine in engines:
            engine.stop()
        await asyncio.gather(*tasks)


async def settled(*engines: Engine, seconds: float = 90.0) -> None:
    """Waits until nothing is left to do, twice in a row: a rebalance may hide work for a moment."""
    quiet = 0
    async with asyncio.timeout(seconds):
        while quiet < 2:
            idle = [await engine.idle() for engine in engines]
            quiet = quiet + 1 if all(idle) else 0
            await asyncio.sleep(0.05)


def product_pictures(folder: Path) -> list[Submission]:
    """One catalog product of each paint."""
    return [
        submission(
            folder / f"product-{paint}.png", png(paint, side=64), Product(id=paint, title=paint)
        )
        for paint in PAINTS
    ]


def looks(folder: Path, count: int) -> list[Submission]:
    """Pictures of two garments each, all different."""
    return [
        submission(
            folder / f"look-{n}.png",
            png(PAINTS[n % 6], PAINTS[(n + 1 + n // 6) % 6], shade=255 - n // 6, side=80),
        )
        for n in range(count)
    ]


def submission(path: Path, data: bytes, product: Product | None = None) -> Submission:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    purpose = "catalog" if product is not None else "query"
    return Submission(path, path.as_uri(), "test", purpose, product)


def comparable(results: dict[str, MediaTagged]) -> dict[str, MediaTagged]:
    """What must be equal however a run went: all but the revision, ``cached`` and scores' noise."""

    def rounded(tagged: MediaTagged) -> MediaTagged:
        items = [
            item.model_copy(
                update={
                    "matches": [
                        m.model_copy(update={"score": round(m.score, 3)}) for m in item.matches
                    ]
                }
            )
            for item in tagged.items
        ]
        return tagged.model_copy(update={"revision": 0, "cached": False, "items": items})

    return {media: rounded(tagged) for media, tagged in results.items()}


def titles(tagged: MediaTagged) -> list[Sequence[str]]:
    """Per item, the products it was matched with."""
    return [[match.product_id for match in item.matches] for item in tagged.items]

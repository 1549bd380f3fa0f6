"""An engine with the stand-in vision: opened here, or kept running beside a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from core.ports import Ports
from core.settings import Settings
from infra.running.engine import Engine, open_engine
from infra.running.service import Service
from tests.vision_standin import png, standin_vision


@asynccontextmanager
async def open_standin(settings: Settings, ports: Ports | None = None) -> AsyncIterator[Engine]:
    """Like ``infra.running.engine.open_engine``, without weights."""
    async with open_engine(settings, ports, lambda _: standin_vision()) as engine:
        yield engine


@contextmanager
def engine_beside(data_dir: Path) -> Iterator[None]:
    """An engine on a thread of its own, as if another process ran it."""
    stop, ready = threading.Event(), threading.Event()

    async def run() -> None:
        async with open_standin(quick(data_dir)) as engine:
            running = asyncio.create_task(engine.run())
            ready.set()
            await asyncio.to_thread(stop.wait)
            engine.stop()
            await running

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="engine-beside")
    thread.start()
    assert ready.wait(60)
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


def tag_all(data_dir: Path, *folders: Path) -> None:
    """Runs a service until everything announced, and found in the folders, has been tagged."""

    async def run() -> None:
        async with open_standin(quick(data_dir)) as engine:
            await Service(engine, folders).run(asyncio.Event(), until_idle=True)

    asyncio.run(run())


def quick(data_dir: Path) -> Settings:
    """Settings of tests: one decoding child and little to wait for."""
    return Settings(
        data_dir=data_dir,
        media={"workers": 1},
        watch={"settle_s": 0.1, "undecodable_after_s": 0.5, "poll_s": 0.2},
    )


def write_product(catalog: Path, number: int, paint: str, info: str | None = None) -> Path:
    """``product_<number>`` with one picture; its path."""
    folder = catalog / f"product_{number}"
    folder.mkdir(parents=True, exist_ok=True)
    picture = folder / f"{number}_000.png"
    picture.write_bytes(png(paint, side=96 + number))
    words = f'{{"title": "The {paint} one", "price_display_amount": {number}}}'
    (folder / "product_info.json").write_text(info or words)
    return picture

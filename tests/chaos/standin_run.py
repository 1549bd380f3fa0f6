"""``python -m tests.chaos.standin_run --watch FOLDER --data-dir DATA``: ``tagger run`` with the
stand-in vision, so that a medium costs next to nothing beside what the engine does with it.

At SIGUSR1 it says how many objects only the collector found: ``{"event": "garbage", "found": 0}``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.events import Vectors
from core.runtime.supervised import supervised
from core.runtime.threads import limit_threads
from core.settings import Settings
from core.telemetry import configure_logging
from core.vision.port import Crop, Profile
from infra.cli.show.live import StatusView
from infra.cli.stopping import run_until_stopped
from infra.running.engine import open_engine
from infra.running.service import Service
from infra.watching.status import Observer
from tests.vision_standin import StandinEmbedder, standin_vision

DIM = 512


class _LongEmbedder(StandinEmbedder):
    """Its vectors are as long as those of the models, so that a point has its real size."""

    version = "standin-embedder-512"
    dim = DIM

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        short = _SHORT.embed(crops)
        return np.pad(short, ((0, 0), (0, DIM - short.shape[1])))


_SHORT = StandinEmbedder()


def _vision(_: Settings) -> Profile:
    return replace(standin_vision(), embedder=_LongEmbedder())


def _say_garbage() -> None:
    print(json.dumps({"event": "garbage", "found": gc.collect()}), flush=True)


async def run(data_dir: Path, folder: Path, stop: asyncio.Event) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, _say_garbage)
    async with open_engine(Settings(data_dir=data_dir), choose=_vision) as engine:
        service = Service(engine, [folder])
        observer = await Observer.of(service)
        async with supervised() as tasks:
            tasks.start("status", StatusView().show(observer))
            await service.run(stop)


if __name__ == "__main__":
    limit_threads()
    parser = argparse.ArgumentParser()
    parser.add_argument("--watch", type=Path)
    parser.add_argument("--data-dir", type=Path)
    given = parser.parse_args()
    configure_logging()
    run_until_stopped(lambda stop: run(given.data_dir, given.watch, stop))

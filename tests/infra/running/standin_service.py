"""``python -m tests.infra.running.standin_service DATA FOLDER``: ``tagger run`` without weights."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.telemetry import configure_logging
from infra.cli.stopping import run_until_stopped
from infra.running.service import Service
from tests.infra.running.standin_engine import open_standin, quick


async def serve(data_dir: Path, folder: Path, stop: asyncio.Event) -> None:
    async with open_standin(quick(data_dir)) as engine:
        service = Service(engine, [folder])
        print("running", flush=True)
        await service.run(stop)


if __name__ == "__main__":
    data_dir, folder = map(Path, sys.argv[1:])
    configure_logging()
    run_until_stopped(lambda stop: serve(data_dir, folder, stop))

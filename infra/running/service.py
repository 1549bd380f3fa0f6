"""The engine with the producers that feed it, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from core.intake.intake import Intake
from infra.running.engine import Engine
from infra.wiring.producers import folder_producer

_LOOK_AGAIN_S = 0.1


class Service:
    """An engine and a producer for each watched folder.

    Raises:
        SettingsError: a folder is missing, or meets the data folder.
    """

    def __init__(self, engine: Engine, folders: Sequence[Path]) -> None:
        self.engine = engine
        announcing = Intake(engine.ports)
        ports, decoder = engine.ports, engine.materials.decoder
        assert decoder is not None, "an engine with all stages has one"
        self.producers = {
            folder: folder_producer(engine.settings, folder, announcing, ports.state, decoder)
            for folder in dict.fromkeys(folder.resolve() for folder in folders)
        }

    async def run(self, stop: asyncio.Event, until_idle: bool = False) -> None:
        """Until ``stop``, or until everything found has been tagged; raises what ended it sooner.

        Producers end before the engine does, so that nothing is announced into a closing log.
        """
        ending = asyncio.Event()
        engine = asyncio.create_task(self.engine.run())
        producers = [asyncio.create_task(p.run(ending)) for p in self.producers.values()]
        asked = [asyncio.create_task(stop.wait())]
        if until_idle:
            asked.append(asyncio.create_task(self._idle()))
        try:
            await asyncio.wait((engine, *producers, *asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in asked:
                task.cancel()
            ending.set()
            await asyncio.gather(*producers, *asked, return_exceptions=True)
            self.engine.stop()
            await asyncio.gather(engine, return_exceptions=True)
        for ended in (engine, *producers):
            ended.result()

    async def _idle(self) -> Literal[True]:
        await asyncio.gather(*(producer.drained() for producer in self.producers.values()))
        while not await self.engine.idle():  # noqa: ASYNC110  # the log may be idle for hours
            await asyncio.sleep(_LOOK_AGAIN_S)
        return True

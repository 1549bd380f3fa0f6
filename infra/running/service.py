"""The engine with the producers that feed it, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from core.errors import OutageError, StageStopError
from core.intake.intake import Intake
from core.runtime.supervised import supervised
from core.runtime.waiting import when
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
        async with supervised(lambda _: ending.set()) as tasks:
            engine = tasks.start("engine", self.engine.run())
            producers = [
                tasks.start(f"producer of {folder}", producer.run(ending))
                for folder, producer in self.producers.items()
            ]
            ends = [tasks.start("stop", when(stop, ending.set))]
            if until_idle:
                ends.append(tasks.start("until idle", self._idle()))
            try:
                await asyncio.wait((engine, *producers, *ends), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
                ending.set()
                if producers:
                    await asyncio.wait(producers)
                self.engine.stop()
                await asyncio.wait([engine])

    async def _idle(self) -> None:
        try:
            await asyncio.gather(*(producer.drained() for producer in self.producers.values()))
        except StageStopError:
            return  # one of them has ended, and its own error says why
        while not await self._is_idle():  # noqa: ASYNC110  # the log may be idle for hours
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def _is_idle(self) -> bool:
        try:
            return await self.engine.idle()
        except OutageError:  # a stage says so, louder
            return False

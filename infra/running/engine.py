"""Stages in one process, on one event loop: the whole engine, or some of its stages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from core.errors import OutageError
from core.files.lock import FileLock
from core.log.port import EventLog
from core.ports import Ports
from core.results.parts import PartStore
from core.runtime.supervised import supervised
from core.settings import Settings
from core.vision.port import Profile
from infra.wiring.adapters import data_folder, open_decoder, open_ports, open_vectors, refuse_split
from infra.wiring.recipes import Materials, Recipe, Recipes, needs
from infra.wiring.stages import RECIPES
from infra.wiring.vision import choose_profile

_log = structlog.get_logger()

_MAINTAIN_EVERY_S = 600.0


class Engine:
    """Runs stages until it is stopped; one stage that cannot go on stops all."""

    def __init__(
        self,
        materials: Materials,
        recipes: Iterable[Recipe],
        maintain_every_s: float = _MAINTAIN_EVERY_S,
    ) -> None:
        self.materials = materials
        self.settings = materials.settings
        self.ports = materials.ports
        self.runners = [recipe.runner(materials) for recipe in recipes]
        self._maintain_every_s = maintain_every_s
        self._stopping = False

    async def run(self) -> None:
        """Returns after :meth:`stop`, when everything in flight is done or given back; raises
        what stopped a stage."""
        async with supervised(lambda _: self.stop()) as tasks:
            tasks.start("maintenance", _maintain(self.ports.log, self._maintain_every_s))
            stages = [tasks.start(runner.stage.name, runner.run()) for runner in self.runners]
            await asyncio.wait(stages, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await asyncio.wait(stages)

    def stop(self) -> None:
        """Asks every stage for an ordered end."""
        if not self._stopping:
            self._stopping = True
            for runner in self.runners:
                runner.stop()

    async def idle(self) -> bool:
        """Whether every event has been handled, and every whole medium announced."""
        if any(runner.in_flight for runner in self.runners):
            return False
        for runner in self.runners:
            topics = [model.topic for model in runner.stage.reads]
            if any((await self.ports.log.lag(runner.group, topics)).values()):
                return False
        return await PartStore(self.ports.state).unannounced() == 0

    def trouble(self) -> str | None:
        """Why a stage does not work, if one does not: it is starting, or a dependency is away."""
        for runner in self.runners:
            if not runner.joined:
                return f"{runner.stage.name} has not joined its group yet"
            if runner.gate.closed:
                return f"{runner.stage.name} waits: {runner.gate.reason}"
        return None


@asynccontextmanager
async def open_engine(
    settings: Settings,
    ports: Ports | None = None,
    choose: Callable[[Settings], Profile] = choose_profile,
    recipes: Recipes = RECIPES,
) -> AsyncIterator[Engine]:
    """Opens every stage; without a cluster, in the one process that may be the data folder's
    engine.

    Args:
        ports: the log, state and blobs, where they are open already; they stay open.
        choose: the models, not loaded yet.
        recipes: the stages there are.

    Raises:
        BusyError: another process is the engine; the message names it.
    """
    async with AsyncExitStack() as stack:
        if not settings.clustered:
            lock = _lock(settings)
            lock.acquire(f"the engine of {settings.data_dir}")
            stack.callback(lock.release)
        if ports is None:
            ports = await stack.enter_async_context(open_ports(settings, "tagger-run"))
        vision = await asyncio.to_thread(choose, settings)
        yield await _open(settings, ports, tuple(recipes), vision, recipes, stack)


@asynccontextmanager
async def open_stages(
    settings: Settings,
    names: Sequence[str],
    choose: Callable[[Settings], Profile] = choose_profile,
    recipes: Recipes = RECIPES,
) -> AsyncIterator[Engine]:
    """Opens some stages, whose neighbours run in other processes.

    Raises:
        SettingsError: there is no stage of a name, or stores are split.
        BusyError: without a cluster, another process has a stage's group or the vectors.
    """
    chosen = recipes.chosen(names)
    refuse_split(settings, part=True)
    # A host that cannot run the models says so before it joins anything.
    vision = await asyncio.to_thread(_loaded, settings, chosen, choose)
    async with AsyncExitStack() as stack:
        role = f"tagger-{'-'.join(names)}"
        ports = await stack.enter_async_context(open_ports(settings, role))
        yield await _open(settings, ports, chosen, vision, recipes, stack)


def _loaded(
    settings: Settings, chosen: Sequence[Recipe], choose: Callable[[Settings], Profile]
) -> Profile:
    vision = choose(settings)
    for recipe in chosen:
        recipe.load(vision)
    return vision


async def _open(
    settings: Settings,
    ports: Ports,
    chosen: Sequence[Recipe],
    vision: Profile,
    recipes: Recipes,
    stack: AsyncExitStack,
) -> Engine:
    needed = needs(chosen)
    vectors = decoder = None
    if "vectors" in needed:
        vectors = await stack.enter_async_context(open_vectors(settings))
    if "decoder" in needed:
        decoder = await stack.enter_async_context(open_decoder(settings))
        # A decoder starts while the models are loaded: the first medium waits for neither.
        warming = asyncio.create_task(decoder.warm_up())
        stack.push_async_callback(_ended, warming)
    return Engine(Materials(settings, ports, vision, recipes, vectors, decoder), chosen)


async def _ended(task: asyncio.Task[None]) -> None:
    """Whatever went wrong in it will go wrong again where it matters."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def engine_process(settings: Settings) -> str | None:
    """The id of the process that is the data folder's engine; None if there is none."""
    return _lock(settings).holder()


def _lock(settings: Settings) -> FileLock:
    return FileLock(data_folder(settings) / "engine.lock")


async def _maintain(log: EventLog, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await log.maintain()
        except OutageError as outage:
            _log.warning("maintenance_postponed", reason=str(outage))

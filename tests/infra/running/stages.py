"""A small engine over an in-memory log: its own stage, no models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.blobs.folder import FolderBlobStore
from core.log.port import EventLog
from core.ports import Ports
from core.runtime.stage import Stage
from core.settings import Settings
from infra.running.engine import Engine
from infra.wiring.recipes import Materials, Recipe, Recipes
from tests.core.runtime.stages import BOUNDS, QUICK
from tests.memory_state import MemoryStateStore
from tests.vision_standin import standin_vision


def recipe(stage: Stage) -> Recipe:
    return Recipe(type(stage), lambda _: stage, options=lambda _: BOUNDS, policy=lambda _: QUICK)


@asynccontextmanager
async def small_engine(
    settings: Settings, log: EventLog, stage: Stage, maintain_every_s: float = 600.0
) -> AsyncIterator[Engine]:
    """An engine of one stage; the log stays open."""
    blobs = await FolderBlobStore.open(settings.data_dir / "blobs")
    ports = Ports(log, MemoryStateStore(), blobs)
    recipes = Recipes(recipe(stage))
    materials = Materials(settings, ports, standin_vision(), recipes)
    yield Engine(materials, recipes, maintain_every_s)
    await blobs.close()

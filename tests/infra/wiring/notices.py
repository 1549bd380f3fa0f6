"""A stage that only tests have, and its recipe: all that it takes to add one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from core.envelope import Event
from core.errors import TransientError
from core.events import Data, MediaUploaded
from core.runtime.retry import RetryPolicy
from core.runtime.runner import RunnerOptions
from core.runtime.stage import Context, Output, Stage
from core.settings import Settings
from infra.wiring.recipes import Materials, Recipe, Recipes, retry_policy, runner_options
from infra.wiring.stages import RECIPES

LANES = 2
TRIES = 2


class NoticeStage(Stage):
    """Reads of each upload, holds it until it is let go, and says nothing.

    Attributes:
        held: uploads that it works on now.
        most: the most that it ever worked on at once.
        go: released once for each that is let go.
        fails: whether it gives up on each.
    """

    name = "notice"
    reads = (MediaUploaded,)
    lane = "media"

    def __init__(self, fails: bool = False) -> None:
        self.held = 0
        self.most = 0
        self.go = asyncio.Semaphore(0)
        self.fails = fails

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        if self.fails:
            raise TransientError("nobody reads notices")
        self.held += 1
        self.most = max(self.most, self.held)
        await self.go.acquire()
        self.held -= 1
        return []


def _make(materials: Materials) -> Stage:
    return NoticeStage()


def _options(settings: Settings) -> RunnerOptions:
    return replace(runner_options(settings), concurrency=LANES)


def _policy(settings: Settings) -> RetryPolicy:
    return replace(retry_policy(settings), max_attempts=TRIES, base_s=0.001)


def notice(make: Callable[[Materials], Stage] = _make) -> Recipe:
    """It needs the vector store, runs two lanes, and tries twice."""
    return Recipe(NoticeStage, make, frozenset({"vectors"}), options=_options, policy=_policy)


def with_notice(recipe: Recipe | None = None) -> Recipes:
    """The engine's stages and this one, which stands before ``results``."""
    *others, results = RECIPES
    return Recipes(*others, recipe or notice(), results)

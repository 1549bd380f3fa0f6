"""What a stage is declared by: one :class:`Recipe`, from which everything about it is derived.

The command line, the engine, health and the tests of deployment files ask :class:`Recipes` and
know no stage by name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from core.errors import SettingsError
from core.log.port import EventLog
from core.media.decode import Decoder
from core.ports import Ports
from core.runtime.retry import RetryPolicy
from core.runtime.runner import RunnerOptions, StageRunner
from core.runtime.stage import Stage
from core.settings import Settings
from core.vectors.port import VectorStore
from core.vision.port import Profile

Need = Literal["decoder", "device", "vectors"]


@dataclass(frozen=True, slots=True)
class Materials:
    """What stages are made of.

    Attributes:
        vision: not loaded yet, so that a host without its device knows the versions, too.
        recipes: all stages there are, also those that run elsewhere.
        vectors: None where no chosen stage searches.
        decoder: None where no chosen stage decodes.
    """

    settings: Settings
    ports: Ports
    vision: Profile
    recipes: Recipes
    vectors: VectorStore | None = None
    decoder: Decoder | None = None


def runner_options(settings: Settings) -> RunnerOptions:
    """Bounds of a stage that has none of its own."""
    runtime = settings.runtime
    return RunnerOptions(
        concurrency=runtime.concurrency,
        max_in_flight=runtime.max_in_flight,
        grace_s=runtime.grace_s,
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """Retries of a stage that has none of its own."""
    return RetryPolicy(max_attempts=settings.runtime.max_attempts)


def _loads_nothing(vision: Profile) -> None:
    return


@dataclass(frozen=True, slots=True)
class Recipe:
    """One stage.

    Attributes:
        stage: its name, which is also its consumer group, and the topics it reads.
        make: the stage, of materials that hold what it needs.
        needs: what is opened for it; a stage that needs a device is deployed on hosts that have
            one.
        load: makes the models that it runs ready, before the process joins anything. Raises
            SettingsError where the host cannot run them.
        options: bounds of its runner; its own are a ``replace`` on :func:`runner_options`.
        policy: its retries; its own are a ``replace`` on :func:`retry_policy`.
    """

    stage: type[Stage]
    make: Callable[[Materials], Stage]
    needs: frozenset[Need] = frozenset()
    load: Callable[[Profile], None] = _loads_nothing
    options: Callable[[Settings], RunnerOptions] = runner_options
    policy: Callable[[Settings], RetryPolicy] = retry_policy

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that the stage reads."""
        return tuple(model.topic for model in self.stage.reads)

    def runner(self, materials: Materials) -> StageRunner:
        """The stage, and what runs it."""
        settings, ports = materials.settings, materials.ports
        return StageRunner(
            self.make(materials),
            ports.log,
            ports.blobs,
            ports.state,
            self.options(settings),
            self.policy(settings),
        )


class Recipes(Collection[Recipe]):
    """All stages there are, in pipeline order: what a stage reads is published by those before
    it."""

    def __init__(self, *recipes: Recipe) -> None:
        self._by_name = {recipe.name: recipe for recipe in recipes}
        if len(self._by_name) < len(recipes):
            raise ValueError("two recipes are of stages with one name")

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, recipe: object) -> bool:
        return recipe in self._by_name.values()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._by_name)

    def chosen(self, names: Sequence[str]) -> tuple[Recipe, ...]:
        """Those of these names, in pipeline order.

        Raises:
            SettingsError: there is no stage of a name.
        """
        if unknown := [name for name in names if name not in self._by_name]:
            known = ", ".join(self._by_name)
            raise SettingsError(f"there is no stage {unknown[0]!r}: there are {known}")
        return tuple(recipe for recipe in self if recipe.name in names)

    def needing(self, need: Need) -> tuple[str, ...]:
        """The names of the stages that need it."""
        return tuple(recipe.name for recipe in self if need in recipe.needs)

    def upstream(self, stage: type[Stage]) -> tuple[Recipe, ...]:
        """Those before a stage, whose backlog explains why it has nothing to do."""
        names = self.names
        return self.chosen(names[: names.index(stage.name)])


def needs(recipes: Sequence[Recipe]) -> frozenset[Need]:
    """Everything that is to be opened for these stages."""
    return frozenset(need for recipe in recipes for need in recipe.needs)


def lagging(log: EventLog, recipes: Sequence[Recipe]) -> Callable[[], Awaitable[bool]]:
    """A call that finds out whether any of these stages has work waiting."""

    async def any_waits() -> bool:
        for recipe in recipes:
            if any((await log.lag(recipe.name, recipe.topics)).values()):
                return True
        return False

    return any_waits

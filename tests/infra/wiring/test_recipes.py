"""What follows from a recipe: a stage that the engine does not know is added, and works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from consumers.results.stage import ResultsStage
from core.errors import SettingsError
from core.intake.intake import Intake, Submission
from core.runtime.deadletters import letters
from core.settings import RuntimeSettings, Settings, VisionSettings
from core.vision.port import Profile
from infra.cli import consume
from infra.running.engine import Engine, open_stages
from infra.watching.health import examine
from infra.wiring.adapters import open_ports
from infra.wiring.recipes import Recipe, Recipes, lagging
from infra.wiring.stages import RECIPES
from tests.e2e.harness import running
from tests.infra.running.standin_engine import quick
from tests.infra.wiring.notices import LANES, TRIES, NoticeStage, notice, with_notice
from tests.producers.engine import eventually
from tests.vision_standin import png, standin_vision


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return quick(tmp_path / "data")


@asynccontextmanager
async def opened(
    settings: Settings, names: Sequence[str], recipes: Recipes
) -> AsyncIterator[Engine]:
    """Some stages of these, without weights."""
    async with open_stages(settings, names, lambda _: standin_vision(), recipes) as engine:
        yield engine


async def announce(settings: Settings, count: int) -> None:
    """So many pictures, which nobody has looked at yet."""
    folder = settings.data_dir.parent
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(png("red", side=64 + number))
    async with open_ports(settings) as ports:
        intake = Intake(ports)
        await intake.announce_many([Submission(path, path.as_uri(), "test") for path in paths])


async def test_its_needs_are_opened_and_only_those(settings: Settings) -> None:
    async with opened(settings, ["notice"], with_notice()) as engine:
        searching = engine.materials
    async with opened(settings, ["frames"], with_notice()) as engine:
        decoding = engine.materials

    assert (searching.vectors is None, searching.decoder is None) == (False, True)
    assert (decoding.vectors is None, decoding.decoder is None) == (True, False)


async def test_it_runs_in_as_many_lanes_as_its_recipe_says(settings: Settings) -> None:
    stage = NoticeStage()
    count = 3 * LANES
    await announce(settings, count)

    async with opened(settings, ["notice"], with_notice(notice(lambda _: stage))) as engine:
        [runner] = engine.runners
        async with running(engine):
            await eventually(lambda: runner.in_flight == count)
            for left in range(count, 0, -1):
                await eventually(lambda: stage.held == min(left, LANES))  # noqa: B023
                stage.go.release()
            await eventually(lambda: runner.in_flight == 0)

    assert stage.most == LANES


async def test_it_is_tried_as_often_as_its_recipe_says(settings: Settings) -> None:
    stage = NoticeStage(fails=True)
    await announce(settings, 1)

    async with opened(settings, ["notice"], with_notice(notice(lambda _: stage))) as engine:
        async with running(engine):
            while not await letters(engine.ports.log, engine.ports.state):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        [letter] = await letters(engine.ports.log, engine.ports.state)

    assert (letter.data.stage, letter.data.attempts) == ("notice", TRIES)
    assert settings.runtime.max_attempts > TRIES


async def test_health_shows_its_backlog(settings: Settings) -> None:
    await announce(settings, 2)

    checks = {check.name: check for check in await examine(settings, with_notice())}

    assert checks["stage notice"].detail.startswith("events waiting: 2,")


async def test_results_wait_for_what_stands_before_them_and_for_nothing_else(
    settings: Settings,
) -> None:
    await announce(settings, 1)

    async with open_ports(settings) as ports:
        for recipe in RECIPES:
            await ports.log.set_offsets(recipe.name, await ports.log.end_offsets(recipe.topics))
        known = await lagging(ports.log, RECIPES.upstream(ResultsStage))()
        before = await lagging(ports.log, with_notice().upstream(ResultsStage))()
        behind = await lagging(ports.log, Recipes(*RECIPES, notice()).upstream(ResultsStage))()

    assert (known, before, behind) == (False, True, False)


def test_the_command_names_it_and_knows_it() -> None:
    app = consume.command(with_notice())

    told = CliRunner().invoke(app, ["--help"]).stdout
    refused = CliRunner().invoke(app, ["fold"])

    assert "notice" in told
    assert "there is no stage 'fold': there are frames," in str(refused.exception)
    assert "notice, results" in str(refused.exception)


async def test_a_host_that_cannot_run_its_models_says_so_before_anything_is_opened(
    settings: Settings,
) -> None:
    def load(vision: Profile) -> None:
        raise SettingsError("no such device")

    recipes = with_notice(replace(notice(), load=load))

    with pytest.raises(SettingsError, match="no such device"):
        async with opened(settings, ["notice"], recipes):
            pass

    assert not settings.data_dir.exists()
    async with opened(settings, ["match"], recipes):
        assert settings.data_dir.exists()


@pytest.mark.parametrize("recipe", RECIPES, ids=RECIPES.names)
def test_stages_run_within_the_settings_bounds_unless_they_have_their_own(recipe: Recipe) -> None:
    settings = Settings(runtime=RuntimeSettings(concurrency=5, max_in_flight=20, max_attempts=7))

    options = recipe.options(settings)

    assert options.concurrency == (24 if "device" in recipe.needs else 5)
    assert options.max_in_flight == (24 if "device" in recipe.needs else 20)
    assert recipe.policy(settings).max_attempts == 7


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_three_batches_of_a_model_are_under_way_at_once(batch_size: int) -> None:
    settings = Settings(vision=VisionSettings(batch_size=batch_size))

    for recipe in RECIPES.chosen(["segment", "embed"]):
        options = recipe.options(settings)
        assert options.max_in_flight >= options.concurrency >= 3 * batch_size


def test_two_stages_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name"):
        Recipes(notice(), notice())

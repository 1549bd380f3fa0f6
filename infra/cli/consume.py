"""``tagger consume``: stages as a process of their own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from core.settings import Settings
from infra.cli.options import DataDir, Port, load_settings, only_given, single
from infra.cli.show.live import StatusView
from infra.cli.stopping import run_until_stopped
from infra.running.engine import open_stages
from infra.running.worker import StageWorker, Worker, run_worker
from infra.wiring.adapters import choices
from infra.wiring.recipes import Recipes
from infra.wiring.stages import RECIPES

# No `from __future__ import annotations` here: typer could not see what `command` is given.

_HELP = """Run stages in this process, beside others that run theirs.

Start as many processes of a stage as it has work for: they share its topics. On Ctrl-C or
SIGTERM what is in flight is finished and committed, the rest is the others'. Without Kafka,
one process at a time runs a stage, and one those that search ({searching})."""


def command(recipes: Recipes) -> typer.Typer:
    """The command over these stages."""
    app = single()
    searching = ", ".join(recipes.needing("vectors"))

    @app.command(help=_HELP.format(searching=searching))
    def consume(
        stages: Annotated[list[str], typer.Argument(help=f"Of {', '.join(recipes.names)}.")],
        device: Annotated[
            str | None,
            typer.Option(
                "--device", help="Where models run: cpu, cuda or cuda:N.", show_default=False
            ),
        ] = None,
        port: Port = None,
        data_dir: DataDir = None,
    ) -> None:
        vision = only_given({"device": device})
        settings = load_settings(data_dir, vision=vision, http_port=port)
        run_until_stopped(lambda stop: _consume(settings, recipes, stages, stop))

    return app


async def _consume(
    settings: Settings, recipes: Recipes, stages: Sequence[str], stop: asyncio.Event
) -> None:
    view = StatusView()
    view.chosen(choices(settings))

    @asynccontextmanager
    async def opening() -> AsyncIterator[Worker]:
        async with open_stages(settings, stages, recipes=recipes) as engine:
            view.say(f"{', '.join(stages)}: running")
            yield StageWorker(engine)

    await run_worker(settings, opening, stop, stages)
    view.say(f"{', '.join(stages)}: stopped in order")


app = command(RECIPES)

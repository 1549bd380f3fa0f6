"""``tagger run``: the whole engine in this process."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from core.errors import BusyError
from core.media.probe import READ
from core.runtime.supervised import supervised
from core.settings import Settings
from infra.cli.options import DataDir, load_settings, only_given, single
from infra.cli.show.live import StatusView, duration, left_out, line
from infra.cli.stopping import run_until_stopped
from infra.running.engine import open_engine
from infra.running.service import Service
from infra.watching.status import Observer
from infra.wiring.adapters import Choice, choices

app = single()


@app.command()
def run(
    watch: Annotated[
        list[Path] | None,
        typer.Option(
            "--watch", "-w", help="Tag what arrives in this folder.", exists=True, file_okay=False
        ),
    ] = None,
    until_idle: Annotated[
        bool,
        typer.Option("--until-idle", "--once", help="End when everything found has been tagged."),
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Child processes that decode.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Run the engine, and tag what arrives in folders.

    Originals are never moved, changed or deleted. Ctrl-C ends what is in flight and stops; a
    second one stops at once. Whatever was not done by then is done by the next run.
    """
    settings = load_settings(data_dir, media=only_given({"workers": workers}))
    folders = watch or []
    run_until_stopped(lambda stop: _run(settings, folders, until_idle, stop))


async def _run(
    settings: Settings, folders: list[Path], until_idle: bool, stop: asyncio.Event
) -> None:
    view = StatusView()
    view.chosen([*choices(settings), *(Choice("watched", str(f), "--watch") for f in folders)])
    started = time.monotonic()
    try:
        with view.screen():
            async with open_engine(settings) as engine:
                service = Service(engine, folders)
                observer = await Observer.of(service)
                view.say("running; Ctrl-C stops" if not until_idle else "running until all is done")
                async with supervised() as tasks:
                    tasks.start("status", view.show(observer))
                    await service.run(stop, until_idle)
                status = await observer.status(exact=True)
    except BusyError as busy:
        raise BusyError(
            f"{busy}, or use it: `tagger submit` and `tagger catalog add` work beside it"
        ) from None
    view.say(f"stopped after {duration(time.monotonic() - started)}: {line(status)}")
    for words in left_out(status):
        view.say(words)
    if status.failed:
        view.say("`tagger dlq list` says why media failed")
    useless = [path for path, folder in status.folders if folder.ignored and not folder.seen]
    for path in useless:
        view.say(f"nothing in {path} is read here; read are {READ['picture']}, and {READ['video']}")
    if useless and until_idle:
        raise typer.Exit(1)

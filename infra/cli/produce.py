"""``tagger produce``: a producer as a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from core.settings import Settings
from infra.cli.options import DataDir, Port, group, load_settings
from infra.cli.show.live import StatusView
from infra.cli.stopping import run_until_stopped
from infra.running.worker import Worker, run_worker
from infra.wiring.adapters import Choice, choices
from infra.wiring.producers import open_bucket_producer, open_folder_producer

app = group("Announce what arrives in a folder or a bucket, beside processes that tag it.")


Opening = Callable[[], AbstractAsyncContextManager[Worker]]


@app.command()
def folder(
    directory: Annotated[Path, typer.Argument(help="The folder to watch.", file_okay=False)],
    port: Port = None,
    data_dir: DataDir = None,
) -> None:
    """Announce what arrives in a folder; originals are only read."""
    settings = load_settings(data_dir, http_port=port)
    _produce(settings, lambda: open_folder_producer(settings, directory), str(directory))


@app.command()
def bucket(
    name: Annotated[str, typer.Argument(help="The drop-off bucket, on the server of S3_ENDPOINT.")],
    port: Port = None,
    data_dir: DataDir = None,
) -> None:
    """Announce what arrives in a bucket; objects are only read."""
    settings = load_settings(data_dir, http_port=port)
    _produce(settings, lambda: open_bucket_producer(settings, name), f"bucket {name}")


def _produce(settings: Settings, opening: Opening, place: str) -> None:
    view = StatusView()
    view.chosen([*choices(settings), Choice("watched", place, "the command line")])
    run_until_stopped(lambda stop: run_worker(settings, opening, stop))
    view.say(f"{place}: stopped in order")

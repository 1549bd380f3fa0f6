"""``tagger state``: stored values that cannot be read, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from core.state.port import StateStore
from core.state.unreadable import Unreadable, drop, unreadable
from infra.cli.options import AsJson, DataDir, existing_data, group, load_settings
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped
from infra.wiring.adapters import open_ports

T = TypeVar("T")

app = group("List, show and drop stored values that cannot be read.")

Key = Annotated[str, typer.Argument(help="What its key begins with, as `tagger state list` shows.")]


@app.command("list")
def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List stored values that were found to be unreadable: the engine goes on without them."""
    found = _with_state(data_dir, unreadable)
    if as_json:
        for one in found:
            print(json.dumps({"key": one.key, "reason": one.reason, "size": len(one.value)}))
        return
    if not found:
        screen.remark("everything that was read could be")
        return
    table = tables.table("Key", "Bytes", "Reason")
    for one in found:
        table.add_row(escape(one.key), str(len(one.value)), escape(one.reason))
    screen.out().print(table)
    screen.remark("`tagger state drop KEY` removes one; submit its medium again to have it tagged")


@app.command()
def show(key: Key, data_dir: DataDir = None) -> None:
    """Print unreadable values, as JSON lines; their bytes as far as they are text."""
    for one in _chosen(_with_state(data_dir, unreadable), key):
        value = one.value.decode(errors="backslashreplace")
        print(json.dumps({"key": one.key, "reason": one.reason, "value": value}))


@app.command("drop")
def drop_(key: Key, as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Remove unreadable values for good. What they were about is as if it had never been stored."""

    async def remove(state: StateStore) -> list[Unreadable]:
        chosen = _chosen(await unreadable(state), key)
        await drop(state, chosen)
        return chosen

    dropped = _with_state(data_dir, remove)
    if as_json:
        print(json.dumps({"dropped": [one.key for one in dropped]}))
    else:
        screen.remark(f"dropped: {len(dropped)}")


def _chosen(found: list[Unreadable], begins: str) -> list[Unreadable]:
    return [one for one in found if one.key.startswith(begins)]


def _with_state(data_dir: Path | None, work: Callable[[StateStore], Awaitable[T]]) -> T:
    settings = load_settings(data_dir)
    existing_data(settings)

    async def ask() -> T:
        async with open_ports(settings) as ports:
            return await work(ports.state)

    return run_until_stopped(lambda _: ask())

"""``tagger results``: what was found, to look at or to take along."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from core.events import MediaTagged, Purpose
from core.ports import Ports
from core.results import reading as tagged
from core.unread import Unread
from infra.cli.options import AsJson, DataDir, existing_data, load_settings, single
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped, until
from infra.report import write_report
from infra.report.export import CsvExport, JsonExport
from infra.wiring.adapters import open_ports

app = single()


class Format(StrEnum):
    JSON = "json"
    CSV = "csv"
    HTML = "html"


@app.command()
def results(
    media_id: Annotated[
        str | None, typer.Argument(help="A medium, by its id or the id's first digits.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is tagged from now on.")
    ] = False,
    export: Annotated[
        Format | None, typer.Option("--export", help="Write all results, or the one named.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to export to, else the output.")
    ] = None,
    bom: Annotated[
        bool, typer.Option("--bom", help="Begin a CSV file as Excel wants it: with a BOM.")
    ] = False,
    catalog: Annotated[
        bool, typer.Option("--catalog", help="The catalog's pictures instead of tagged media.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Media listed.")] = 20,
    matches: Annotated[
        int, typer.Option("--matches", min=1, help="Products shown for an item.")
    ] = 3,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Show what was found, and export it.

    Without an id, the newest results are listed. --json prints one result a line.
    """
    if output is not None and export is None:
        raise typer.BadParameter("say what to write with --export", param_hint="--output")
    if follow and (media_id is not None or export is not None):
        raise typer.BadParameter("goes with neither an id nor --export", param_hint="--follow")
    if export is Format.HTML and output is None:
        raise typer.BadParameter("a page needs a file: name it with --output")
    if bom and export is not Format.CSV:
        raise typer.BadParameter("goes with --export csv", param_hint="--bom")
    settings = load_settings(data_dir)
    existing_data(settings)
    purpose: Purpose = "catalog" if catalog else "query"

    unread = Unread()

    async def work(stop: asyncio.Event) -> None:
        async with open_ports(settings) as ports:
            if export is not None:
                chosen = _chosen(ports, media_id, purpose, unread)
                await _export(ports, chosen, export, output, bom)
            elif media_id is not None:
                _show(await tagged.one(ports, media_id), matches, as_json)
            else:
                _list(await tagged.newest(ports, limit, purpose, unread), as_json)
                if follow:
                    async for one in until(stop, tagged.follow(ports, purpose, unread)):
                        _show(one, matches, as_json)

    try:
        run_until_stopped(work)
    finally:
        screen.passed_over(unread)


def _show(one: MediaTagged, matches: int, as_json: bool) -> None:
    if as_json:
        print(one.model_dump_json(), flush=True)
    else:
        tables.medium(screen.out(), one, matches)


def _list(said: Sequence[tagged.Said], as_json: bool) -> None:
    if as_json:
        for one in said:
            print(one.tagged.model_dump_json(), flush=True)
    elif said:
        screen.out().print(tables.overview(said))
    else:
        screen.remark("nothing has been tagged here yet")


async def _export(
    ports: Ports, chosen: AsyncIterator[MediaTagged], form: Format, output: Path | None, bom: bool
) -> None:
    if form is Format.HTML and output is not None:
        await write_report(output, chosen, ports.blobs, "Results")
        return
    with _stream(output) as stream:
        into = CsvExport(stream, bom) if form is Format.CSV else JsonExport(stream)
        async for one in chosen:
            into.add(one)
    if output is not None and isinstance(into, CsvExport) and not into.ascii and not bom:
        screen.remark("in Excel, accents and currency signs of this file need --bom")


async def _chosen(
    ports: Ports, media_id: str | None, purpose: Purpose, unread: Unread
) -> AsyncIterator[MediaTagged]:
    if media_id is not None:
        yield await tagged.one(ports, media_id)
        return
    async for one in tagged.every(ports, purpose, unread):
        yield one


@contextmanager
def _stream(output: Path | None) -> Iterator[TextIO]:
    """The file, which appears when it is whole; or the standard output."""
    if output is None:
        yield sys.stdout
        return
    unfinished = output.with_name(output.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)

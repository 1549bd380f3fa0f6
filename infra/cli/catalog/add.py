"""``tagger catalog add``: product folders become searchable."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from catalog.folder import ProductFolders, read_product_folders
from catalog.product_info import INFO
from catalog.stocking import Outcome, Plan, plan, stock
from core.errors import SettingsError, TaggingError
from core.intake.originals import shown
from core.ports import Ports
from core.settings import Settings
from infra.cli.options import AsJson, DataDir, load_settings
from infra.cli.show import screen
from infra.cli.show.meter import Meter
from infra.cli.stopping import run_until_stopped
from infra.running.host import with_engine
from infra.wiring.adapters import open_ports

_SHOWN = 20


def add(
    folder: Annotated[
        Path, typer.Argument(help="Holds a folder product_<id> for each product.", exists=True)
    ],
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Make the pictures in product folders searchable.

    A folder product_<id> holds a product's pictures and, if there is one, its product_info.json.
    Running it again adds what is new or changed and repeats nothing. Beside a running engine that
    engine does the work; else this command does it.
    """
    settings = load_settings(data_dir)
    folder = folder.resolve()
    found, place = read_product_folders(folder), folder.as_uri()
    if not found.pictures and not found.problems:
        raise SettingsError(
            f"no pictures of products in {shown(folder)}: they belong into folders named"
            f" product_<id>, or into folders with a {INFO}"
        )
    report = _Report(found)
    try:
        run_until_stopped(lambda stop: _add(settings, place, found, report, stop))
    finally:
        if report.begun:
            report.show(as_json)
    if report.failed or found.problems:
        raise typer.Exit(1)


async def _add(
    settings: Settings, place: str, found: ProductFolders, report: _Report, stop: asyncio.Event
) -> None:
    async with open_ports(settings) as ports:
        made = await plan(ports, place, found.pictures)
    report.begin(made)
    if not made.to_do:
        return

    async def work(ports: Ports) -> None:
        with Meter("Pictures", made.to_do) as meter:

            def on_done(path: Path, outcome: Outcome) -> None:
                report.count(path, outcome)
                meter.advance()

            await stock(ports, made, on_done)

    await with_engine(settings, work, stop)


class _Report:
    """What became of the pictures."""

    def __init__(self, found: ProductFolders) -> None:
        self.begun = False
        self._found = found
        self._started = time.monotonic()
        self._unchanged = 0
        self._added = 0
        self._items = 0
        self._bare: list[Path] = []
        self.failed: list[tuple[Path, str]] = list(found.problems)

    def begin(self, made: Plan) -> None:
        for path, tagged in made.settled:
            self._note(path, tagged)
        self._unchanged = len(made.settled)
        self.begun = True

    def count(self, path: Path, outcome: Outcome) -> None:
        self._added += 1
        self._note(path, outcome)

    def show(self, as_json: bool) -> None:
        if as_json:
            print(json.dumps(self._summary()))
            return
        out, err = screen.out(), screen.err()
        seconds = time.monotonic() - self._started
        out.print(
            f"{self._found.products} products, {len(self._found.pictures)} pictures:"
            f" {self._added} worked on in {seconds:.1f} s, {self._unchanged} unchanged,"
            f" {self._items} items searchable",
            soft_wrap=True,
        )
        found = self._found
        _list(err, "red", "could not be added", _reasons(self.failed))
        _list(err, "yellow", "show nothing that is known here", [shown(p) for p in self._bare])
        claimed = [f"{one}: {', '.join(map(shown, at))}" for one, at in found.same_id.items()]
        _list(err, "yellow", "claimed as id by several folders, taken for one product", claimed)
        _list(err, "yellow", "without a picture", [shown(path) for path in found.bare])
        _list(err, "dim", "left out here, as links", _reasons(found.elsewhere))
        if found.loose:
            err.print(f"[dim]pictures that lie in no product's folder: {found.loose}[/]")
        if found.ignored:
            kinds = ", ".join(
                f"{count} {suffix or 'without extension'}"
                for suffix, count in sorted(found.ignored.items())
            )
            err.print(f"[dim]files that are no pictures: {escape(kinds)}[/]")

    def _note(self, path: Path, outcome: Outcome) -> None:
        if isinstance(outcome, TaggingError):
            self.failed.append((path, str(outcome)))
        elif outcome.status != "complete":
            self.failed.append((path, outcome.reason or "; ".join(outcome.failures)))
        elif outcome.points:
            self._items += len(outcome.points)
        else:
            self._bare.append(path)

    def _summary(self) -> dict[str, object]:
        found = self._found
        return {
            "products": found.products,
            "pictures": len(found.pictures),
            "added": self._added,
            "unchanged": self._unchanged,
            "items": self._items,
            "without_items": [shown(path) for path in self._bare],
            "failed": _named(self.failed),
            "same_id": {one: [shown(path) for path in at] for one, at in found.same_id.items()},
            "without_pictures": [shown(path) for path in found.bare],
            "left_out": _named(found.elsewhere),
            "loose": found.loose,
            "ignored": dict(sorted(found.ignored.items())),
        }


def _reasons(named: Sequence[tuple[Path, str]]) -> list[str]:
    return [f"{shown(path)}: {why}" for path, why in named]


def _named(named: Sequence[tuple[Path, str]]) -> list[dict[str, str]]:
    return [{"file": shown(path), "reason": why} for path, why in named]


def _list(console: Console, colour: str, heading: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"[{colour}]{len(lines)} {heading}:[/]")
    for line in lines[:_SHOWN]:
        console.print(f"  {escape(line)}", soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  and {len(lines) - _SHOWN} more: --json lists them")

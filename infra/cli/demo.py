"""``tagger demo``: the whole engine on a wardrobe drawn by code, checked against what was drawn."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from catalog.folder import read_product_folders
from catalog.stocking import Outcome, plan, stock
from core.errors import TaggingError
from core.events import MediaTagged
from core.intake.intake import Intake, Submission
from core.ports import Ports
from core.results.answers import listening
from core.settings import Settings
from infra.cli.options import DataDir, load_settings, single
from infra.cli.show import screen, tables
from infra.cli.show.meter import Meter
from infra.cli.stopping import run_until_stopped
from infra.demo.catalog import write_catalog
from infra.demo.media import write_media
from infra.demo.score import Score, score
from infra.demo.truth import MediumTruth
from infra.report import write_report
from infra.running.host import with_engine

app = single()

_PASS = 0.9
"""Share of the drawn garments that must be found and matched with their own product."""

_REPORT = Path("tagger-demo.html")
_MATCHES = 2


@app.command()
def demo(
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Keep pictures, data and report in here.", file_okay=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help=f"The page to write, else {_REPORT}.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """See it work: a small wardrobe drawn by code is tagged and checked.

    Draws a catalog, photos and a film, runs the engine until all of them are tagged, prints what
    was found, and writes it as one page. Fails unless 90% of the garments are found and matched.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        place = keep
        if place is None:
            temporary = tempfile.TemporaryDirectory(prefix="tagger-demo-")
            place = Path(stack.enter_context(temporary))
        page = report or (keep / "report.html" if keep else _REPORT)
        settings = load_settings(data_dir or place / "data")
        played = run_until_stopped(lambda stop: _play(settings, place, page, stop))
    _print(played)
    screen.out().print(
        f"\nEverything took {time.monotonic() - started:.0f} s. The page: {page.resolve()}",
        soft_wrap=True,
    )
    if played.score.share < _PASS:
        raise TaggingError(
            f"only {played.score.share:.0%} of the drawn garments were found and matched,"
            f" {_PASS:.0%} are expected: this installation does not work as it should"
        )
    screen.out().print(
        "\nNow your own:\n"
        "  tagger catalog add DIR     folders product_<id> with their pictures\n"
        "  tagger run --watch DIR     tags what arrives there\n"
        "  tagger results             shows what was found"
    )


@dataclass(frozen=True, slots=True)
class _Played:
    results: Sequence[MediaTagged]
    score: Score


async def _play(settings: Settings, place: Path, page: Path, stop: asyncio.Event) -> _Played:
    async def work(ports: Ports) -> _Played:
        screen.remark("drawing a wardrobe, photos of it and a film")
        await asyncio.to_thread(write_catalog, place / "catalog")
        truth, _ = await asyncio.gather(
            asyncio.to_thread(write_media, place / "media"), _stock(ports, place / "catalog")
        )
        results = await _tag(ports, place / "media", truth)
        await write_report(page, results, ports.blobs, "Tagging engine: the demo")
        return _Played(results, score(truth, results))

    return await with_engine(settings, work, stop)


async def _stock(ports: Ports, folder: Path) -> None:
    found = await asyncio.to_thread(read_product_folders, folder)
    made = await plan(ports, found.pictures[0].path.parent.parent.as_uri(), found.pictures)
    with Meter("Catalog", made.to_do) as meter:

        def on_done(path: Path, outcome: Outcome) -> None:
            meter.advance()

        await stock(ports, made, on_done)


async def _tag(ports: Ports, folder: Path, truth: Sequence[MediumTruth]) -> list[MediaTagged]:
    intake = Intake(ports)
    paths = [folder / medium.filename for medium in truth]
    uris = await asyncio.to_thread(lambda: [path.resolve().as_uri() for path in paths])
    results = []
    with Meter("Media", len(paths)) as meter:
        async with listening(ports) as answers:
            outcomes = await intake.announce_many(
                [Submission(path, uri, "demo") for path, uri in zip(paths, uris, strict=True)]
            )
            for outcome in outcomes:
                if isinstance(outcome, TaggingError):
                    raise outcome
                results.append(await answers.to(outcome.media_id, outcome.root))
                meter.advance()
    return results


def _print(played: _Played) -> None:
    console = screen.out()
    for tagged in played.results:
        tables.medium(console, tagged, _MATCHES)
        console.print()
    scored = played.score
    console.print(
        f"[bold]{scored.matched} of {scored.total} garments found and matched[/]"
        f" ({scored.share:.0%}); {scored.found} found, {scored.extra} found where none was drawn"
    )
    for row in scored.rows:
        if not row.matched:
            what = f"taken for {row.best or 'no product'}" if row.found else "not found"
            name = escape(f"{row.filename} at {row.time_ms / 1000:.1f} s")
            console.print(f"  [yellow]{name}: product {row.product_id} was {what}[/]")

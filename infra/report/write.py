"""Results to a page: as text, or to a file without holding them all."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

from core.blobs.port import BlobStore
from core.events import MediaTagged
from infra.report.card import medium_card
from infra.report.item import Products
from infra.report.markup import Html
from infra.report.page import END, page_head
from infra.report.pictures import fetch
from infra.report.summary import Summary

Results = AsyncIterable[MediaTagged] | Iterable[MediaTagged]


async def render(results: Sequence[MediaTagged], blobs: BlobStore, title: str) -> str:
    """The whole page; a few hundred kB a medium."""
    summary = Summary()
    cards = [card async for card in _cards(results, blobs, summary)]
    return page_head(title, summary) + "".join(cards) + END


async def write_report(path: Path, results: Results, blobs: BlobStore, title: str) -> Summary:
    """Writes the page medium by medium and gives its totals.

    The totals stand at the top but are known last, so the cards wait in a temporary file. A page
    already at ``path`` is replaced once the new one is whole.
    """
    summary = Summary()
    with TemporaryFile("w+", encoding="utf-8") as body:
        async for card in _cards(results, blobs, summary):
            await asyncio.to_thread(body.write, card)
        body.seek(0)
        await asyncio.to_thread(_assemble, path, page_head(title, summary), body)
    return summary


def _assemble(path: Path, head: str, body: TextIO) -> None:
    """Head, cards and end into a file beside ``path``, which then takes its place."""
    draft = path.with_name(f".{path.name}.part")
    with draft.open("w", encoding="utf-8") as page:
        page.write(head)
        shutil.copyfileobj(body, page)
        page.write(END)
    draft.replace(path)


async def _cards(results: Results, blobs: BlobStore, summary: Summary) -> AsyncIterator[Html]:
    products = Products()
    place = 0
    async for medium in _each(results):
        anchor = f"m{place}"
        summary.add(medium, anchor)
        yield medium_card(medium, anchor, await fetch(medium, blobs, products), products)
        place += 1


async def _each(results: Results) -> AsyncIterator[MediaTagged]:
    if isinstance(results, AsyncIterable):
        async for medium in results:
            yield medium
    else:
        for medium in results:
            yield medium

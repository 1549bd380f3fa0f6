"""Results for people: what was found in a medium, and what matches it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.events import Match, MediaTagged, TaggedItem
from core.results.reading import Published

_COLOURS = {"complete": "green", "partial": "yellow", "failed": "red"}
_WHY_NO_MATCHES = {
    "no_catalog": "no catalog yet: fill it with `tagger catalog add DIR`",
    "other_embedder": "the catalog is of another model: `tagger catalog add DIR --data-dir NEW`",
}
ID_DIGITS = 12
"""Digits of a medium's id that are enough to name it."""

_TIMES = frozenset({"Said at", "Last", "Time"})


def medium(console: Console, tagged: MediaTagged, matches: int) -> None:
    """A heading and a table of items, each with its best ``matches`` products."""
    console.print(
        f"[bold]{escape(tagged.filename or tagged.media_id)}[/]  {_status(tagged)}"
        f"  {_counts(tagged)}  [dim]{tagged.media_id}[/]",
        soft_wrap=True,
    )
    if tagged.items:
        console.print(_items(tagged, matches))
    elif tagged.points:
        console.print(_points(tagged))
    for line in _remarks(tagged):
        console.print(f"  [dim]{escape(line)}[/]", soft_wrap=True)


def overview(newest: Iterable[Published]) -> Table:
    """One line a medium."""
    shown = table("Medium", "File", "Status", "Said at", "Frames", "Items", "Best match")
    for one in newest:
        tagged = one.tagged
        best = max(
            (match for item in tagged.items for match in item.matches),
            key=lambda match: match.score,
            default=None,
        )
        at = datetime.fromtimestamp(one.time / 1000, UTC).astimezone()
        shown.add_row(
            tagged.media_id[:ID_DIGITS],
            escape(tagged.filename),
            _status(tagged),
            f"{at:%Y-%m-%d %H:%M:%S}",
            str(len(tagged.frames)),
            str(len(tagged.points) or _unique(tagged)),
            escape(f"{product_name(best)} ({best.score:.2f})") if best else "",
        )
    return shown


def product_name(match: Match) -> str:
    """What a reader knows a product by: its title, else the folder's name, else its id."""
    return str(match.payload.get("title") or match.payload.get("product_name") or match.product_id)


def table(*columns: str) -> Table:
    """An empty table as all commands draw them; times are not broken over lines."""
    empty = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        empty.add_column(column, overflow="fold", no_wrap=column in _TIMES)
    return empty


def _status(tagged: MediaTagged) -> str:
    return f"[{_COLOURS[tagged.status]}]{tagged.status}[/]"


def _unique(tagged: MediaTagged) -> int:
    return sum(item.duplicate_of is None for item in tagged.items)


def _counts(tagged: MediaTagged) -> str:
    if tagged.product is not None:
        return f"{_many(len(tagged.points), 'catalog item')} of product {tagged.product.id}"
    unique = _unique(tagged)
    parts = [_many(len(tagged.frames), "frame"), _many(unique, "item")]
    if repeats := len(tagged.items) - unique:
        parts.append(_many(repeats, "repeat"))
    if tagged.cached:
        parts.append("seen before")
    return ", ".join(parts)


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _items(tagged: MediaTagged, matches: int) -> Table:
    timed = tagged.kind == "video"
    names = {item.item_id: item.label for item in tagged.items}
    times = {frame.frame_id: frame.timecode for frame in tagged.frames}
    shown = table(*(["Time"] if timed else []), "Item", "Score", "Match", "Price", "Similarity")
    for item in tagged.items:
        start = [times.get(item.frame_id, "")] if timed else []
        start += [escape(item.label), f"{item.score:.2f}"]
        for number, cells in enumerate(_matches(item, names, matches)):
            shown.add_row(*(start if number == 0 else [""] * len(start)), *cells)
    return shown


def _matches(item: TaggedItem, names: dict[str, str], most: int) -> Sequence[Sequence[str]]:
    if item.duplicate_of is not None:
        return [(f"[dim]repeats the {escape(names.get(item.duplicate_of, 'item'))} above[/]",)]
    return [
        (
            escape(product_name(match)),
            escape(str(match.payload.get("price") or "")),
            f"{match.score:.2f}",
        )
        for match in item.matches[:most]
    ] or [("[dim]no match[/]",)]


def _points(tagged: MediaTagged) -> Table:
    shown = table("Item", "Category", "Point")
    for point in tagged.points:
        shown.add_row(escape(point.label), escape(point.category), point.point_id)
    return shown


def _remarks(tagged: MediaTagged) -> list[str]:
    remarks = [tagged.reason] if tagged.reason else []
    if tagged.match_reason and tagged.items:
        remarks.append(_WHY_NO_MATCHES.get(tagged.match_reason, tagged.match_reason))
    missing = [f"still missing: {part}" for part in tagged.missing]
    return [*remarks, *tagged.failures, *tagged.notes, *missing]

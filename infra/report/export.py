"""Results as files for other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TextIO

from core.events import MediaTagged
from infra.report.cells import guarded, unguarded

COLUMNS = (
    *("media_id", "filename", "status", "frame_id", "timecode", "item_id", "label", "category"),
    *("score", "x0", "y0", "x1", "y1", "crop_key", "masked_key", "duplicate_of"),
    *("rank", "product_id", "similarity", "title", "product_type", "price", "tags", "collections"),
)
"""One row a match; an item without a match, and a medium without items, have one row each."""

_FROM_PAYLOAD = COLUMNS[COLUMNS.index("title") :]


_BOM = "\ufeff"


class CsvExport:
    """A table as RFC 4180 has it, with a header; numbers as in the events, and text so that no
    spreadsheet runs it: :func:`read_csv` gives back what was said.

    Args:
        stream: opened with ``newline=""``.
        bom: begins with a byte order mark, without which Excel takes UTF-8 for another encoding.

    Attributes:
        ascii: whether all text so far reads the same in either.
    """

    def __init__(self, stream: TextIO, bom: bool = False) -> None:
        if bom:
            stream.write(_BOM)
        self._writer = csv.DictWriter(stream, COLUMNS, restval="")
        self._writer.writeheader()
        self.ascii = True

    def add(self, tagged: MediaTagged) -> None:
        for row in _rows(tagged):
            cells = {name: _cell(value) for name, value in row.items()}
            self.ascii &= all(text.isascii() for text in cells.values() if isinstance(text, str))
            self._writer.writerow(cells)


def read_csv(stream: TextIO) -> Iterator[dict[str, str]]:
    """The rows of an export, by column.

    Args:
        stream: opened as UTF-8 with ``newline=""``; a byte order mark is passed over.
    """
    reader = csv.reader(stream)
    columns = [name.removeprefix(_BOM) for name in next(reader, [])]
    for row in reader:
        yield dict(zip(columns, map(unguarded, row), strict=True))


class JsonExport:
    """JSON Lines: one result a line, as ``media.tagged`` says it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def add(self, tagged: MediaTagged) -> None:
        self._stream.write(tagged.model_dump_json() + "\n")


def _cell(value: object) -> object:
    if value is None or isinstance(value, int | float):
        return value
    return guarded(str(value))


def _rows(tagged: MediaTagged) -> Iterator[dict[str, object]]:
    medium: dict[str, object] = {
        "media_id": tagged.media_id,
        "filename": tagged.filename,
        "status": tagged.status,
        "product_id": tagged.product.id if tagged.product else "",
    }
    times = {frame.frame_id: frame.timecode for frame in tagged.frames}
    if not tagged.items and not tagged.points:
        yield medium
    for point in tagged.points:
        yield {
            **medium,
            **point.model_dump(include={"frame_id", "item_id", "label", "category", "crop_key"}),
            "timecode": times.get(point.frame_id, ""),
            **dict(zip(("x0", "y0", "x1", "y1"), point.box, strict=True)),
        }
    for item in tagged.items:
        fields = {"frame_id", "item_id", "label", "category", "score", "crop_key"}
        row = {
            **medium,
            **item.model_dump(include=fields),
            "timecode": times.get(item.frame_id, ""),
            "masked_key": item.masked_key or "",
            "duplicate_of": item.duplicate_of or "",
            **dict(zip(("x0", "y0", "x1", "y1"), item.box, strict=True)),
        }
        if not item.matches:
            yield row
        for rank, match in enumerate(item.matches, start=1):
            yield {
                **row,
                "rank": rank,
                "product_id": match.product_id,
                "similarity": match.score,
                **{name: match.payload.get(name, "") for name in _FROM_PAYLOAD},
            }

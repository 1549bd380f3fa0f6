"""The page around the cards: head, totals, contents."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from infra.report.markup import Html, el
from infra.report.summary import Entry, Summary
from infra.report.words import count, percent, tone

_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""The page may load nothing and run nothing, whatever a title says."""

_OPEN_CONTENTS: Final = 24
"""Media up to which the contents are unfolded."""

END: Final = Html("</main></body></html>\n")


def page_head(title: str, summary: Summary) -> Html:
    """Everything before the first card; ``END`` comes after the last."""
    style = Html(files("infra.report").joinpath("report.css").read_text(encoding="utf-8"))
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
        el("style", style),
    )
    return Html(
        f'<!doctype html>\n<html lang="en">{head}<body>{_masthead(title, summary)}'
        f"{_contents(summary.contents)}<main>"
    )


def _masthead(title: str, summary: Summary) -> Html:
    media = [
        count(number, word)
        for number, word in ((summary.pictures, "picture"), (summary.videos, "video"))
        if number
    ]
    legend = [
        el("li", category, class_=f"t-{tone(category)}") for category in sorted(summary.categories)
    ]
    return el(
        "header",
        el("p", "Tagging report", class_="kicker"),
        el("h1", title),
        el(
            "p",
            " and ".join(media) or count(len(summary.contents), "medium", "media"),
            class_="lead",
        ),
        el("dl", _figures(summary), class_="totals"),
        el("ul", legend, class_="legend", aria_label="Colours of the categories")
        if legend
        else None,
        class_="masthead",
    )


def _figures(summary: Summary) -> list[Html]:
    share = percent(summary.matched / summary.items) if summary.items else "0%"
    figures: list[tuple[str, str, str | None]] = [
        (f"{summary.items:,}", "items found", None),
        (f"{summary.matched:,}", f"matched · {share}", None),
        (f"{len(summary.products):,}", "products recognised", None),
        (f"{summary.frames:,}", "key frames", None),
    ]
    if summary.duplicates:
        figures.append((f"{summary.duplicates:,}", "repeats", None))
    if summary.points:
        figures.append((f"{summary.points:,}", "catalog items", None))
    if summary.partial:
        figures.append((f"{summary.partial:,}", "partial", "partial"))
    if summary.failed:
        figures.append((f"{summary.failed:,}", "failed", "failed"))
    return [
        el("div", el("dt", words), el("dd", number), class_=state)
        for number, words, state in figures
    ]


def _contents(entries: list[Entry]) -> Html | None:
    if len(entries) < 2:
        return None
    lines = [
        el(
            "li",
            el(
                "a",
                el("span", entry.name, class_="name"),
                el(
                    "span", str(entry.items), class_="figure", aria_label=count(entry.items, "item")
                ),
                href=f"#{entry.anchor}",
                class_=entry.status,
            ),
        )
        for entry in entries
    ]
    unfolded = "" if len(entries) <= _OPEN_CONTENTS else None
    summary = el("summary", count(len(entries), "medium", "media"))
    return el("nav", el("details", summary, el("ol", lines), open=unfolded), aria_label="Contents")

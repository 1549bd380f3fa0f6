"""One medium as a card: what it is, how it went, its frames with their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.events import Frame, MediaAnalyzed, MediaTagged, TaggedItem
from infra.report.frame import Mark, frame_figure
from infra.report.item import Products, item_row, matches, point_row
from infra.report.markup import Html, el
from infra.report.pictures import Gallery
from infra.report.summary import display_name
from infra.report.words import clock, count, percent

_NO_CATALOG = "no_catalog"


def medium_card(medium: MediaTagged, anchor: str, gallery: Gallery, products: Products) -> Html:
    """The card; ``anchor`` is its id in the page."""
    name = display_name(medium)
    return el(
        "article",
        el(
            "header",
            el("h2", name),
            el("p", _facts(medium), class_="facts"),
            _badges(medium),
        ),
        _trouble(medium),
        _no_catalog(medium),
        _timeline(medium, anchor),
        _frames(medium, anchor, name, gallery, products),
        _analysis(medium.analysis) if medium.analysis else None,
        _notes(medium.notes),
        class_=f"card {medium.status}",
        id=anchor,
    )


def _facts(medium: MediaTagged) -> str:
    facts: list[str] = [medium.kind or "medium"]
    if medium.duration_ms:
        facts.append(clock(medium.duration_ms))
    if medium.kind == "video":
        facts.append(count(len(medium.frames), "key frame"))
    if medium.product:
        facts.append(f"catalog picture of {medium.product.title or medium.product.id}")
        facts.append(count(len(medium.points), "item"))
    else:
        facts.append(count(len(medium.items), "item"))
    if medium.pipeline:
        facts.append(f"pipeline {medium.pipeline}")
    return " · ".join(facts)


def _badges(medium: MediaTagged) -> Html:
    badges = [el("li", medium.status, class_=f"badge {medium.status}")]
    if medium.cached:
        badges.append(el("li", "seen before", class_="badge"))
    uploads = max(medium.upload_count, len(medium.uploads))
    if uploads > 1:
        badges.append(el("li", f"{uploads} uploads", class_="badge"))
    return el("ul", badges, class_="badges", aria_label="Status")


def _trouble(medium: MediaTagged) -> Html | None:
    """Why a medium is not complete, in its own words."""
    if medium.status == "complete":
        return None
    lines = [line for line in [medium.reason, *medium.failures] if line]
    title = (
        "Nothing could be tagged." if medium.status == "failed" else "Not everything is here yet."
    )
    return el(
        "div",
        el("p", el("strong", title)),
        el("ul", [el("li", line) for line in dict.fromkeys(lines)]) if lines else None,
        el("p", "Still missing: ", "; ".join(medium.missing), ".") if medium.missing else None,
        class_=f"callout {medium.status}",
    )


def _no_catalog(medium: MediaTagged) -> Html | None:
    if not medium.match_reason:
        return None
    if medium.match_reason != _NO_CATALOG:
        return el("p", f"Not compared with the catalog: {medium.match_reason}.", class_="callout")
    return el(
        "div",
        el("p", el("strong", "There is no catalog to compare with yet.")),
        el(
            "p",
            "Add a folder of products, then submit the medium again; only matching is repeated.",
        ),
        el("pre", el("code", "tagger catalog add DIR")),
        class_="callout",
    )


def _timeline(medium: MediaTagged, anchor: str) -> Html | None:
    """The scenes of a video, as long as they last."""
    if medium.kind != "video" or len(medium.frames) < 2:
        return None
    scenes = []
    for place, frame in enumerate(medium.frames):
        length = max(frame.scene_end_ms - frame.scene_start_ms, 1)
        found = sum(item.frame_id == frame.frame_id for item in medium.items)
        href = f"#{anchor}-f{place}" if found else None
        text = [el("b", clock(frame.time_ms)), el("span", count(found, "item"))]
        scene = el("a", text, href=href) if href else el("span", text, class_="bare")
        scenes.append(el("li", scene, style=f"flex-grow:{length}"))
    return el("ol", scenes, class_="timeline", aria_label="Scenes")


def _frames(
    medium: MediaTagged, anchor: str, name: str, gallery: Gallery, products: Products
) -> list[Html]:
    """The frames that show something; of a medium without any item, the first one."""
    entries = _entries(medium, anchor, gallery, products)
    shown: list[Html] = []
    bare: list[Frame] = []
    for place, frame in enumerate(medium.frames):
        found = entries.get(frame.frame_id, [])
        if not found and (entries or shown):
            bare.append(frame)
            continue
        marks, rows = [mark for mark, _ in found], [row for _, row in found]
        waiting = medium.status == "partial"
        nothing = "Its items are not here yet." if waiting else "No items were found here."
        shown.append(
            el(
                "section",
                frame_figure(frame, marks, gallery.frame(frame.blob_key), name),
                el("ol", rows, class_="items")
                if rows
                else el("p", nothing, class_="verdict quiet"),
                class_="look",
                id=f"{anchor}-f{place}",
                aria_label=f"Key frame at {frame.timecode}" if frame.timecode else None,
            )
        )
    return [*shown, *_bare(bare)]


def _entries(
    medium: MediaTagged, anchor: str, gallery: Gallery, products: Products
) -> dict[str, list[tuple[Mark, Html]]]:
    """Per frame id its items, or a catalog medium's points: what to draw and what to list."""
    entries: dict[str, list[tuple[Mark, Html]]] = {}
    numbers = {item.item_id: number for number, item in enumerate(medium.items, 1)}
    for item in medium.items:
        number = numbers[item.item_id]
        again = item.duplicate_of is not None
        mark = Mark(number, item.label, item.category, item.box, again)
        verdict = _verdict(medium, item, numbers, anchor)
        row = item_row(item, number, anchor, gallery, verdict or matches(item, gallery, products))
        entries.setdefault(item.frame_id, []).append((mark, row))
    for number, point in enumerate(medium.points, len(numbers) + 1):
        mark = Mark(number, point.label, point.category, point.box, again=False)
        row = point_row(point, number, anchor, gallery)
        entries.setdefault(point.frame_id, []).append((mark, row))
    return entries


def _verdict(
    medium: MediaTagged, item: TaggedItem, numbers: Mapping[str, int], anchor: str
) -> Html | None:
    """Why no products stand beside an item; None where some do."""
    if item.duplicate_of is not None:
        first = numbers.get(item.duplicate_of)
        link = el("a", f"item {first}", href=f"#{anchor}-i{first}") if first else "an earlier item"
        return el("p", "Same as ", link, ".", class_="verdict")
    if item.matches:
        return None
    text = "Not compared." if medium.match_reason else "No product is similar enough."
    return el("p", text, class_="verdict quiet")


def _bare(frames: Sequence[Frame]) -> list[Html]:
    """Key frames that are only named, as nothing was found in them."""
    if not frames:
        return []
    times = ", ".join(clock(frame.time_ms) for frame in frames)
    text = f"No items in {count(len(frames), 'key frame')}: {times}"
    return [el("p", text, class_="quiet aside")]


def _analysis(analysis: MediaAnalyzed) -> Html:
    if analysis.reason:
        return el("p", f"No analysis: {analysis.reason}", class_="quiet aside")
    spoken = analysis.audio_transcription
    vibes = [
        el("li", el("b", vibe.name), f" {percent(vibe.confidence)}") for vibe in analysis.vibes
    ]
    return el(
        "section",
        el("h3", "In words"),
        el("p", analysis.clothing_description) if analysis.clothing_description else None,
        el("ul", vibes, class_="vibes") if vibes else None,
        el("details", el("summary", "What is said"), el("p", spoken)) if spoken else None,
        class_="analysis",
    )


def _notes(notes: Sequence[str]) -> Html | None:
    if not notes:
        return None
    return el("ul", [el("li", note) for note in notes], class_="quiet aside notes")

"""A key frame with its items outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.events import Box, Frame
from infra.report.markup import Html, el
from infra.report.pictures import Picture
from infra.report.words import count, key, tone

_TALLEST_REM = 36
"""Height that an upright frame may take, in the page's font size."""

_ROOM_ABOVE = 0.07
"""Share of a frame's height that a label above its box needs."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A box to draw: ``box`` is xyxy in pixels of the frame, ``number`` what the reader sees."""

    number: int
    label: str
    category: str
    box: Box
    again: bool


def frame_figure(frame: Frame, marks: Sequence[Mark], picture: Picture | None, name: str) -> Html:
    """The picture with a box and a label for each mark."""
    width, height = max(frame.width, 1), max(frame.height, 1)
    inside = {"style": f"aspect-ratio:{width}/{height}"}
    if picture is None:
        seen = el("div", "This frame is no longer in the store.", class_="gone", **inside)
    else:
        names = ", ".join(mark.label for mark in marks)
        text = f"{name}: {count(len(marks), 'item')}" + (f": {names}" if names else "")
        seen = el("img", src=picture.uri, alt=text, width=width, height=height, loading="lazy")
    boxes = el(
        "svg",
        [_outline(mark, shade) for mark in marks for shade in ("halo", "line")],
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    return el(
        "figure",
        el(
            "div",
            seen,
            boxes,
            [_label(mark, width, height) for mark in marks],
            class_="stage",
            style=f"max-width:{_TALLEST_REM * width / height:.1f}rem",
        ),
        el("figcaption", _caption(frame)) if frame.timecode and frame.scene_end_ms else None,
        class_="frame",
    )


def _caption(frame: Frame) -> Html:
    span = f"scene {frame.scene_start_ms / 1000:.1f} to {frame.scene_end_ms / 1000:.1f} s"
    return el("span", el("b", frame.timecode), f" · {span}")


def _outline(mark: Mark, shade: str) -> Html:
    x0, y0, x1, y1 = mark.box
    return el(
        "rect",
        x=_short(x0),
        y=_short(y0),
        width=_short(max(x1 - x0, 0)),
        height=_short(max(y1 - y0, 0)),
        class_=f"{shade} {_classes(mark)}",
    )


def _label(mark: Mark, width: int, height: int) -> Html:
    """Above the box, or inside it where there is no room; anchored right near the right edge."""
    x0, y0, x1, _ = mark.box
    inside = y0 / height < _ROOM_ABOVE
    right = x0 / width > 0.75
    side = f"right:{1 - min(x1 / width, 1):.2%}" if right else f"left:{max(x0 / width, 0):.2%}"
    return el(
        "span",
        el("b", str(mark.number)),
        el("span", f" {mark.label}"),
        class_=f"flag {_classes(mark)}" + (" inside" if inside else ""),
        style=f"{side};top:{max(y0 / height, 0):.2%}",
        aria_hidden="true",
    )


def _classes(mark: Mark) -> str:
    return f"t-{tone(mark.category)} {key(mark.number)}" + (" again" if mark.again else "")


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")

"""HTML that cannot be injected into: every text is escaped unless it was built here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

_VOID: Final = frozenset({"br", "img", "link", "meta", "rect", "use", "image"})


class Html(str):
    """Finished markup; the one kind of text that ``el`` does not escape."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def el(tag: str, *children: Child, **attributes: str | int | float | None) -> Html:
    """One element.

    Args:
        tag: its name.
        children: text (escaped), markup, nested sequences of both; None is left out.
        attributes: values (escaped); None is left out. A trailing underscore is dropped and others
            become hyphens: ``class_``, ``aria_label``.
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _VOID:
        return Html(
            f"<{tag}{pairs}>" if tag in {"br", "img", "link", "meta"} else f"<{tag}{pairs}/>"
        )
    return Html(f"<{tag}{pairs}>{join(children)}</{tag}>")


def join(children: Iterable[Child]) -> Html:
    """Children one after the other."""
    return Html("".join(_text(child) for child in children))


def _text(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(child)
    return join(child)

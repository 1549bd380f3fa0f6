"""Where words for people go: results to the output, everything about them to stderr."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.markup import escape

from core.unread import Unread

_PIPED_WIDTH = 140
"""Characters a line where there is no terminal to ask, so that ids in a file stay whole."""


def out() -> Console:
    """The output."""
    return Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH, highlight=False)


def err() -> Console:
    """Remarks and progress."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def passed_over(unread: Unread) -> None:
    """A line about what could not be read, if there is anything; people and scripts miss it
    equally."""
    if unread.words:
        err().print(f"[yellow]{escape(unread.words)}[/]", soft_wrap=True)


def remark(text: str) -> None:
    """One line beside the results, e.g. what to do next."""
    err().print(f"[dim]{escape(text)}[/]", soft_wrap=True)

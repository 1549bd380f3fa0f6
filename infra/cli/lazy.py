"""Commands that are imported when they run, so that ``tagger --help`` is there at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """Stands in the list of commands; the module ``infra.cli.NAME`` holds the command itself.

    Args:
        summary: the line that the list shows.
    """

    def __init__(self, name: str, summary: str) -> None:
        super().__init__(name, help=summary, short_help=summary)

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context of the real command; from there on this one plays no part."""
        module = import_module(f"infra.cli.{self.name}")
        return typer.main.get_command(module.app).make_context(*args, **kwargs)

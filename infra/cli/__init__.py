"""``tagger``: the engine on the command line. A command is a module of its name in this folder."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from core.errors import TaggingError
from core.runtime.threads import limit_threads
from infra.cli.lazy import LazyCommand

_COMMANDS = {
    "demo": "See it work: a small wardrobe drawn by code is tagged and checked.",
    "run": "Run the engine, and tag what arrives in folders.",
    "consume": "Run single stages, on a cluster.",
    "produce": "Announce what arrives in a folder or a bucket, on a cluster.",
    "submit": "Tag single files.",
    "results": "Show what was found, and export it.",
    "catalog": "Fill the catalog that items are matched against.",
    "health": "Say how everything stands, and what to do about it.",
    "dlq": "List, show and redrive what was given up.",
    "state": "List, show and drop stored values that cannot be read.",
    "topics": "Make the event log's topics, and look into them.",
    "settings": "Print the table of settings.",
    "asyncapi": "Print what other systems need to subscribe to the events.",
}


class _Tagger(TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        summary = _COMMANDS.get(cmd_name)
        return LazyCommand(cmd_name, summary) if summary else None


app = typer.Typer(
    name="tagger",
    cls=_Tagger,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _tagger() -> None:
    """Dropped videos and photos become shoppable catalog matches."""


def main() -> None:
    """The console script: what a user can mend is one line on stderr, never a traceback."""
    limit_threads()
    try:
        app()
    except TaggingError as error:
        _fail(str(error), getattr(error, "exit_code", 1))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)


def _fail(words: str, code: int) -> None:
    print(f"tagger: {words}", file=sys.stderr)
    sys.exit(code)

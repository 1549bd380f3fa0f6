"""``tagger health``: for people, and by its exit code for whoever watches over it."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer
from rich.markup import escape

from infra.cli.options import AsJson, DataDir, load_settings, single
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped
from infra.watching.health import examine, worst

app = single()

_EXIT = {"ok": 0, "degraded": 1, "down": 2}
_COLOURS = {"ok": "green", "degraded": "yellow", "down": "red"}


@app.command()
def health(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Say how everything stands, and what to do about it.

    Exit code: 0 if all is well, 1 if something is missing or late, 2 if nothing can be tagged.
    """
    settings = load_settings(data_dir)
    checks = run_until_stopped(lambda _: examine(settings))
    overall = worst(checks)
    if as_json:
        print(json.dumps({"status": overall, "checks": [asdict(check) for check in checks]}))
    else:
        table = tables.table("Check", "State", "Detail", "Next")
        for check in checks:
            state = f"[{_COLOURS[check.level]}]{check.level}[/]"
            table.add_row(check.name, state, escape(check.detail), escape(check.next or ""))
        screen.out().print(table)
    raise typer.Exit(_EXIT[overall])

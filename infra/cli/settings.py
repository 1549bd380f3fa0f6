"""``tagger settings``: what can be set, for its page in the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import SettingsError
from infra.cli.options import single
from infra.contract.settings_table import settings_table, with_table

app = single()


@app.command()
def settings(
    check: Annotated[
        Path | None,
        typer.Option("--check", help="Fail if the table in this file is not today's."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Put today's table into this file.")
    ] = None,
) -> None:
    """Print the table of settings, as Markdown.

    In a file it stands between <!-- settings --> and <!-- /settings -->.
    """
    if check is None and write is None:
        print(settings_table())
    if write is not None:
        write.write_text(with_table(write.read_text("utf-8")), "utf-8")
    if check is not None:
        text = check.read_text("utf-8")
        if with_table(text) != text:
            raise SettingsError(
                f"the table of settings in {check} is not today's:"
                f" `tagger settings --write {check}` renews it"
            )

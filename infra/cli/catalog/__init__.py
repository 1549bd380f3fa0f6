"""``tagger catalog``: what items are matched against."""

from __future__ import annotations

from infra.cli.catalog.add import add
from infra.cli.options import group

app = group("Fill the catalog that items are matched against.")
app.command()(add)

"""``tagger topics``: a look into the event log."""

from __future__ import annotations

from infra.cli.options import group
from infra.cli.topics_list import list_
from infra.cli.topics_tail import tail

app = group("Look into the event log.")
app.command("list")(list_)
app.command()(tail)

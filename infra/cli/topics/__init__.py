"""``tagger topics``: the event log's topics."""

from __future__ import annotations

from infra.cli.options import group
from infra.cli.topics.create import create
from infra.cli.topics.list import list_
from infra.cli.topics.tail import tail

app = group("Make the event log's topics, and look into them.")
app.command()(create)
app.command("list")(list_)
app.command()(tail)

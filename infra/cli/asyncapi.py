"""``tagger asyncapi``: the contract for systems that subscribe, and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import SettingsError
from infra.cli.options import single
from infra.contract.document import BROKER_ADDRESS, STORE_URL, as_yaml, asyncapi_document

app = single()


@app.command()
def asyncapi(
    check: Annotated[
        Path | None, typer.Option("--check", help="Fail if this file is not today's document.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write it to this file instead.")
    ] = None,
    broker: Annotated[
        str, typer.Option("--broker", help="Where your Kafka is, host:port.")
    ] = BROKER_ADDRESS,
    store: Annotated[
        str, typer.Option("--store", help="Where your blobs are: the bucket's URL.")
    ] = STORE_URL,
) -> None:
    """Print what other systems need to subscribe, as AsyncAPI 3: topics, headers, schemas.

    With --broker and --store it is a document of your deployment, to be handed out.
    """
    document = as_yaml(asyncapi_document(broker, store))
    if check is None and write is None:
        print(document, end="")
    if write is not None:
        write.write_text(document, "utf-8")
    if check is not None and check.read_text("utf-8") != document:
        raise SettingsError(
            f"{check} is not today's document: `tagger asyncapi --write {check}` renews it"
        )

"""``tagger topics tail``: events as they stand in the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from core.blobs.port import BlobStore
from core.claimcheck import decode_checked
from core.envelope import Event, dataref, decode, encode_structured
from core.errors import BlobMissingError, NewerEventError, PermanentError, SettingsError
from core.events import Data
from core.log.port import EventLog, Record, TopicPartition
from core.settings import Settings
from infra.cli.options import AsJson, DataDir, existing_data, load_settings
from infra.cli.stopping import run_until_stopped, until
from infra.wiring.adapters import open_reading
from infra.wiring.stages import RECIPES

_PAGE = 100
_WAIT_S = 1.0
_WIDTH = 200


class From(StrEnum):
    EARLIEST = "earliest"
    LATEST = "latest"


def tail(
    topic: Annotated[str, typer.Argument(help="`tagger topics list` lists them.")],
    group: Annotated[
        str | None,
        typer.Option("--group", help="Go on where this group stopped; commit what was printed."),
    ] = None,
    start: Annotated[
        From, typer.Option("--from", help="Where to begin; a group, only its first time.")
    ] = From.EARLIEST,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is said from now on.")
    ] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print the events of a topic, one a line.

    With --group a script gets every event at least once, however often it is started anew.
    """
    settings = load_settings(data_dir)
    existing_data(settings)
    if group in RECIPES.names:
        raise SettingsError(f"{group!r} is a stage of the engine: choose another name")
    run_until_stopped(lambda stop: _tail(settings, topic, group, start, follow, as_json, stop))


async def _tail(
    settings: Settings,
    topic: str,
    group: str | None,
    start: From,
    follow: bool,
    as_json: bool,
    stop: asyncio.Event,
) -> None:
    async with open_reading(settings) as (log, blobs):
        topics = await log.topics()
        if topic not in topics:
            raise SettingsError(f"there is no topic {topic!r}: there are {', '.join(topics)}")
        if group is not None:
            await _as_group(log, blobs, topic, group, start, follow, as_json, stop)
            return
        async for record in until(stop, _records(log, topic, start, follow)):
            await _print(record, blobs, as_json)


async def _records(
    log: EventLog, topic: str, start: From, follow: bool
) -> AsyncGenerator[Record, None]:
    async for record in log.tail([topic], start.value, follow):
        yield record


async def _as_group(
    log: EventLog,
    blobs: BlobStore | None,
    topic: str,
    group: str,
    start: From,
    follow: bool,
    as_json: bool,
    stop: asyncio.Event,
) -> None:
    """Prints, then commits: what a crash comes between is printed again. Without ``follow`` it ends
    with what stood in the log when it began; whoever else is in the group reads its share."""
    begin, end = await log.begin_offsets([topic]), await log.end_offsets([topic])
    if start is From.LATEST and not await log.committed(group):
        await log.set_offsets(group, end)
    done = await log.committed(group)
    subscription = await log.subscribe(group, [topic], _Alone())
    try:
        while not stop.is_set():
            joined = bool(subscription.assignment)
            records = await subscription.fetch(_PAGE, _WAIT_S)
            for record in records:
                await _print(record, blobs, as_json)
            read = {record.tp: record.offset + 1 for record in records}
            await subscription.commit(read)
            done |= read
            ours = subscription.assignment
            read_all = all(done.get(tp, begin[tp]) >= end[tp] for tp in ours)
            # Kafka's own marks may stand last, and are never read: then nothing comes any more.
            if not follow and ours and (read_all or (joined and not records)):
                return
    finally:
        await subscription.close()


class _Alone:
    """The only member of its group, with nothing to drain."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        return

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        return


async def _print(record: Record, blobs: BlobStore | None, as_json: bool) -> None:
    """One line; a record that cannot be read is shown with the reason, and stops nothing."""
    event, error = None, None
    try:
        if blobs is not None:
            event = _structured(await decode_checked(record, blobs))
        elif reference := dataref(record):
            raise BlobMissingError(f"its data is {reference} in the blob store: set S3_ENDPOINT")
        else:
            event = _structured(decode(record))
    except (PermanentError, NewerEventError) as refused:
        error = str(refused)
    if as_json:
        place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        line = {**place, "timestamp": record.timestamp, "event": event}
        print(json.dumps({**line, "error": error} if error else line), flush=True)
        return
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC).astimezone()
    text = f"{at:%Y-%m-%d %H:%M:%S}  {record.partition}/{record.offset}  "
    summary = f"{record.key}  cannot be read: {error}" if event is None else _summary(event)
    printable = (text + summary)[:_WIDTH].encode(errors="backslashreplace").decode()
    print(printable, flush=True)  # a key may be of any bytes


def _structured(event: Event[Data]) -> dict[str, Any]:
    attributes: dict[str, Any] = json.loads(encode_structured(event).value or b"{}")
    return attributes


def _summary(event: dict[str, Any]) -> str:
    if event["data"] is None:
        return f"{event['subject']}  removed"
    told = {
        name: value if isinstance(value, str | int) else len(value)
        for name, value in event["data"].items()
        if value not in (None, "", []) and name != "media_id" and not isinstance(value, dict)
    }
    return f"{event['subject']}  {json.dumps(told, ensure_ascii=False)}"

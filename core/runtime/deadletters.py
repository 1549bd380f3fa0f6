"""Dead letters: events that were given up, kept whole with their reason; and their redrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.envelope import Event, attributes_of, decode, now
from core.errors import SchemaError
from core.events import TOPICS, DeadLetter
from core.ids import content_hash, event_id
from core.log.port import EventLog, Message, Record
from core.state.port import StateStore
from core.tracing.traces import traceparent
from core.unread import UNREADABLE, Unread

_REDRIVEN = "redriven/"
_REASON_LIMIT = 2000


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as an operator sees it; ``body`` is the original's value."""

    id: str
    time: str
    data: DeadLetter
    body: bytes | None


def dead_letter(
    record: Record, stage: str, pipeline: str, error: BaseException, attempts: int
) -> Message:
    """The record that goes to ``dead.letters``.

    Its ce_id derives from the original alone, so that a subscriber counts an event that is given
    up twice (after a crash, after a redrive) once.

    Args:
        pipeline: the path that the stage's outputs would have had.
    """
    headers, said = record.headers, attributes_of(record)
    origin = said.get("id") or f"{record.topic}/{record.partition}/{record.offset}"
    subject = said.get("subject") or record.key or "unknown"
    letter = DeadLetter(
        media_id=subject,
        stage=stage,
        error=type(error).__name__,
        reason=(str(error) or type(error).__name__)[:_REASON_LIMIT],
        attempts=attempts,
        origin_topic=record.topic,
        origin_partition=record.partition,
        origin_offset=record.offset,
        origin_key=record.key,
        origin_headers=dict(headers),
    )
    kept = {
        f"ce_{name}": said[name]
        for name in ("frame", "purpose", "pipeline", "replay")
        if name in said
    }
    if pipeline:
        kept["ce_pipeline"] = pipeline
    identity = event_id(stage, DeadLetter.type(), origin, record.value or b"")
    root = said.get("root") or origin
    return Message(
        DeadLetter.topic,
        subject,
        record.value,  # a tombstone's is absent here, too
        {
            **kept,
            "ce_specversion": "1.0",
            "ce_id": identity,
            "ce_source": f"/stages/{stage}",
            "ce_type": DeadLetter.type(),
            "ce_time": now(),
            "ce_subject": subject,
            "ce_root": root,
            "traceparent": traceparent(root, identity),
            "content-type": headers.get("content-type", "application/octet-stream"),
            "dead_letter": letter.model_dump_json(),
        },
    )


async def letters(
    log: EventLog, state: StateStore, redriven: bool = False, unread: Unread | None = None
) -> list[Letter]:
    """Dead letters, oldest first, one an event; those already redriven only on request.

    Args:
        unread: notes which records are no dead letters, or cannot be sent back to any topic.
    """
    passed_over = unread if unread is not None else Unread()
    done = set() if redriven else {k.removeprefix(_REDRIVEN) for k in await state.keys(_REDRIVEN)}
    found: dict[str, Letter] = {}
    async for record in log.tail([DeadLetter.topic], "earliest", follow=False):
        if record.value is None and "dead_letter" not in record.headers:
            continue  # a tombstone of somebody's; a tombstone that was given up is a letter
        try:
            event = _letter(record)
        except UNREADABLE as error:
            passed_over.add(record.place, error)
            continue
        if _mark(event.id, event.data) not in done:
            found[event.id] = Letter(event.id, event.time, event.data, record.value)
    return sorted(found.values(), key=lambda letter: letter.time)


async def redrive(log: EventLog, state: StateStore, chosen: Sequence[Letter]) -> int:
    """Sends events back to their topics, for the stage that gave them up and no other."""
    for letter in chosen:
        origin = letter.data
        headers = {**origin.origin_headers, "ce_target": origin.stage}
        await log.publish([Message(origin.origin_topic, origin.origin_key, letter.body, headers)])
        await state.put([(_REDRIVEN + _mark(letter.id, origin), b"")])
    return len(chosen)


def _letter(record: Record) -> Event[DeadLetter]:
    """Raises SchemaError or NewerEventError."""
    event = decode(record).of(DeadLetter)
    if event.data.origin_topic not in TOPICS:
        raise SchemaError(f"it is from topic {event.data.origin_topic!r}, which is not ours")
    return event


def _mark(letter_id: str, origin: DeadLetter) -> str:
    # Given up again after a redrive, the same event stands at another offset: a new entry.
    place = f"{letter_id}/{origin.origin_topic}/{origin.origin_partition}/{origin.origin_offset}"
    return content_hash(place.encode())[:32]

"""Dead letters: events that were given up, kept whole with their reason; and their redrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from core.blobs.port import Blob, BlobStore
from core.envelope import Event, attributes_of, decode, is_proper, now
from core.errors import SchemaError
from core.events import TOPICS, DeadLetter
from core.ids import content_hash, event_id
from core.log.port import EventLog, Message, Record
from core.runtime.originals import blob_of, fits, headers_of, original_of, raw_of, written_out
from core.state.port import StateStore
from core.tracing.traces import traceparent
from core.unread import UNREADABLE, Unread

_REDRIVEN = "redriven/"
_REASON_LIMIT = 2000
_KEY_LIMIT = 4000
_SHORT = 200
_GLANCE = 32
_NOBODY = "unknown"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as an operator sees it; ``body`` is the original's value."""

    id: str
    time: str
    data: DeadLetter
    body: bytes | None


def dead_letter(
    record: Record, stage: str, pipeline: str, error: BaseException, attempts: int
) -> tuple[Message, Blob | None]:
    """The record that goes to ``dead.letters``, and the blob that has to be stored before, where
    the original does not fit into a record. Raises nothing, whatever the record is.

    Its ce_id derives from the original alone, so that a subscriber counts an event that is given
    up twice (after a crash, after a redrive) once.

    Args:
        pipeline: the path that the stage's outputs would have had.
    """
    said = attributes_of(record)
    origin = said.get("id") or f"{record.topic}/{record.partition}/{record.offset}"
    subject = said.get("subject") or _medium_of(record.key)
    blob = None if fits(record) else blob_of(record)
    letter = DeadLetter(
        media_id=subject,
        stage=stage,
        error=type(error).__name__,
        reason=reason_of(error),
        attempts=attempts,
        origin_topic=record.topic,
        origin_partition=record.partition,
        origin_offset=record.offset,
        origin_key=None if record.key is None else written_out(record.key[:_KEY_LIMIT]),
        origin_headers=headers_of(record) if blob is None else _first(headers_of(record)),
        origin_subject=said.get("subject"),
        origin_bytes=raw_of(record) if blob is None else {},
        origin_blob=None if blob is None else blob.key,
    )
    kept = {
        f"ce_{name}": said[name]
        for name in ("frame", "purpose", "pipeline", "replay")
        if name in said
    }
    if pipeline and is_proper("ce_pipeline", pipeline):
        kept["ce_pipeline"] = pipeline
    identity = event_id(stage, DeadLetter.type(), origin, record.value or b"")
    root = said.get("root") or record.place
    content_type = record.headers.get("content-type", "")
    message = Message(
        DeadLetter.topic,
        subject,
        record.value if blob is None else b"",  # a tombstone's is absent here, too
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
            "content-type": written_out(content_type)[:_SHORT] or "application/octet-stream",
            "dead_letter": letter.model_dump_json(),
        },
    )
    return message, blob


def reason_of(error: BaseException) -> str:
    """An error's words as every store takes them, and not too many."""
    try:
        words = str(error)
    except Exception:  # a stranger's class may not even have words
        words = ""
    return written_out(words or type(error).__name__)[:_REASON_LIMIT]


def _medium_of(key: str | None) -> str:
    """What a record without a proper subject is filed under: its key's medium, if it has one."""
    medium = (key or "").partition("/")[0]
    return medium if is_proper("ce_subject", medium) and medium else _NOBODY


def _first(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers for a glance; all of them are in the blob."""
    return {name[:_SHORT]: text[:_SHORT] for name, text in list(headers.items())[:_GLANCE] if name}


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


async def redrive(
    log: EventLog, state: StateStore, chosen: Sequence[Letter], blobs: BlobStore | None = None
) -> int:
    """Sends events back to their topics, for the stage that gave them up and no other.

    Args:
        blobs: where those lie that did not fit into a record.

    Raises:
        BlobMissingError: one lies in a blob that is not there.
    """
    for letter in chosen:
        origin = letter.data
        original = await original_of(origin, letter.body, blobs)
        headers = {**original.headers, "ce_target": origin.stage}
        await log.publish([replace(original, headers=headers)])
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

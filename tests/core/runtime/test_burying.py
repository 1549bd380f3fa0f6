"""Giving an event up works whatever its record is, and keeps it as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.blobs.folder import FolderBlobStore
from core.envelope import decode, encode, encode_structured
from core.errors import PermanentError
from core.events import TOPICS, DeadLetter, FrameExtracted
from core.log.port import Message, Record, TopicPartition
from core.runtime.deadletters import dead_letter, letters, redrive
from core.runtime.originals import original_of
from tests.core.runtime.stages import (
    Recorder,
    caught_up,
    create_topics,
    extracted,
    publish,
    running,
    said,
    until,
)
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore

STRUCTURED = {"content-type": "application/cloudevents+json"}
NESTED = b"[" * 200_000
_MEGABYTE = 1 << 20

_text = st.text(st.characters(codec=None), max_size=30)
_names = st.sampled_from(sorted({*encode(extracted(1)).headers, "dead_letter", "ce_pipeline"}))
_records = st.builds(
    Record,
    st.builds(TopicPartition, st.sampled_from(TOPICS), st.just(0)),
    st.just(7),
    st.just(0),
    st.none() | _text,
    st.none() | st.binary(max_size=60),
    st.dictionaries(_names | _text, _text, max_size=10),
)


def said_of(record: Record, error: Exception | None = None) -> Record:
    """Its dead letter, as it is read."""
    message, _ = dead_letter(record, "segment", "p1", error or PermanentError("no"), 1)
    return _read(message)


def _read(message: Message) -> Record:
    tp = TopicPartition(message.topic, 0)
    return Record(tp, 0, 0, message.key, message.value, message.headers)


def _size(message: Message) -> int:
    headers = sum(len(n.encode()) + len(text.encode()) for n, text in message.headers.items())
    return len(message.value or b"") + len((message.key or "").encode()) + headers


@given(_records)
@settings(max_examples=200, deadline=None)
def test_every_record_has_a_dead_letter_that_is_read_and_buried_itself(record: Record) -> None:
    letter = said_of(record)

    assert decode(letter).of(DeadLetter).data.origin_topic == record.topic
    assert decode(said_of(letter)).of(DeadLetter).data.origin_topic == DeadLetter.topic


@given(_records)
@settings(max_examples=200, deadline=None)
async def test_the_original_is_kept_byte_for_byte(record: Record) -> None:
    letter = said_of(record)
    data = decode(letter).of(DeadLetter).data

    original = await original_of(data, letter.value, None)

    def written(text: str | None) -> bytes | None:
        return None if text is None else text.encode(errors="surrogateescape")

    try:
        expected = [written(text) for text in (record.key, *record.headers.values())]
    except UnicodeEncodeError:
        return  # no log gives such text
    assert original.value == record.value
    assert [written(text) for text in (original.key, *original.headers.values())] == expected


@pytest.mark.parametrize(
    "record",
    [
        Message("t", "k", b"x" * (_MEGABYTE - 200), {"ce_id": "1"}),
        Message("t", "k", b"x", {"a": "\x01" * (_MEGABYTE - 200)}),
        Message("t", "k" * 900_000, b"x", {}),
        Message("t", "k", b"x" * 849_000, {f"h{n}": "\x01" * 100 for n in range(9)}),
        Message("t", "k", None, {f"h{n}": "\udcff" * 300 for n in range(300)}),
    ],
)
async def test_what_is_too_large_for_a_record_lies_in_a_blob(
    tmp_path: Path, record: Message
) -> None:
    blobs = await FolderBlobStore.open(tmp_path)
    message, blob = dead_letter(_read(record), "segment", "p1", PermanentError("no"), 1)
    data = decode(_read(message)).of(DeadLetter).data

    if blob is not None:
        await blobs.put([blob])
    original = await original_of(data, message.value, blobs)

    assert _size(message) < 1_040_000
    assert (original.key, original.value, original.headers) == (
        *(record.key, record.value, record.headers),
    )
    await blobs.close()


class _WordlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "error", [_WordlessError(), ValueError("\ud800\x00"), ValueError("x" * 9999)]
)
def test_any_error_is_a_reason(error: Exception) -> None:
    record = _read(encode(extracted(1)))

    data = decode(said_of(record, error)).of(DeadLetter).data

    assert 0 < len(data.reason) <= 2000
    data.reason.encode()


@pytest.mark.parametrize(
    "record",
    [
        Message(FrameExtracted.topic, "k", NESTED, STRUCTURED),
        Message(FrameExtracted.topic, "k", b"\xff" * 10, STRUCTURED),
        Message(FrameExtracted.topic, "k", b'{"subject": "\\ud800", "id": "\\ud800"}', STRUCTURED),
        Message(FrameExtracted.topic, "k", b"{}", {"dead_letter": "\ud800"}),
        Message(FrameExtracted.topic, "k", b"{}", {"ce_purpose": "nonsense"}),
        Message(FrameExtracted.topic, "\udcff", None, {}),
        Message(FrameExtracted.topic, "k", b"{}", {"ce_type": "anything.v9"}),
    ],
)
async def test_a_hostile_record_is_given_up_and_its_neighbour_is_not(
    tmp_path: Path, record: Message
) -> None:
    log, state = MemoryEventLog(chaos=CALM), MemoryStateStore()
    await create_topics(log)
    stage = Recorder()
    async with running(stage, log, state, tmp_path):
        await log.publish([record])
        await publish(log, [extracted(1)])
        await until(lambda: caught_up(log, stage))

    assert [subject for subject, _ in stage.handled] == [extracted(1).subject]
    assert len(await said(log, DeadLetter.topic)) == 1


async def test_a_large_event_is_redriven_from_its_blob(tmp_path: Path) -> None:
    log, state = MemoryEventLog(chaos=CALM), MemoryStateStore()
    await create_topics(log)
    message = encode_structured(extracted(1))
    padded = json.dumps({**json.loads(message.value or b""), "pad": "x" * 2_000}).encode()
    large = Message(message.topic, message.key, padded + b" " * 900_000, message.headers)
    blobs = await FolderBlobStore.open(tmp_path / "blobs")

    def refuse(event: object, context: object) -> None:
        raise PermanentError("not now")

    async with running(Recorder(refuse), log, state, tmp_path):
        await log.publish([large])
        await until(lambda: caught_up(log, Recorder()))
    mended = Recorder()

    await redrive(log, state, await letters(log, state), blobs)
    async with running(mended, log, state, tmp_path):
        await until(lambda: caught_up(log, mended))

    assert [subject for subject, _ in mended.handled] == [extracted(1).subject]
    await blobs.close()

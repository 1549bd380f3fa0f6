"""Envelopes: both modes, golden files of every event, unknown fields, versions, claim checks."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from core.blobs.folder import FolderBlobStore
from core.claimcheck import INLINE_LIMIT, encode_checked
from core.envelope import Event, dataref, decode, dump, encode, encode_structured
from core.errors import NewerEventError, SchemaError
from core.events import MODELS, Data, DeadLetter, MediaUploaded, Tombstone
from core.log.port import Message, Record, TopicPartition
from tests.core.samples import SAMPLES

GOLDEN = Path(__file__).parent / "golden"


def record(message: Message) -> Record:
    tp = TopicPartition(message.topic, 0)
    return Record(tp, 0, 0, message.key, message.value, message.headers)


@pytest.mark.parametrize("event", SAMPLES.values(), ids=SAMPLES.keys())
def test_binary_mode_gives_back_what_it_was_given(event: Event[Data]) -> None:
    again = decode(record(encode(event)))

    assert replace(again, time="") == event


@pytest.mark.parametrize("event", SAMPLES.values(), ids=SAMPLES.keys())
def test_structured_mode_gives_back_what_it_was_given(event: Event[Data]) -> None:
    again = decode(record(encode_structured(event)))

    assert replace(again, time="") == event


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.topic)
def test_every_event_has_a_golden_file(model: type[Data]) -> None:
    assert list(GOLDEN.glob(f"{model.type()}*.json"))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_an_event_written_by_an_older_version_is_read_for_ever(path: Path) -> None:
    golden = json.loads(path.read_text())
    value = json.dumps(golden["data"]).encode()

    event = decode(Record(TopicPartition("t", 0), 0, 0, golden["key"], value, golden["headers"]))

    assert event.id == golden["headers"]["ce_id"]
    assert event.data.key() == golden["key"]
    written = json.loads(dump(event.data))
    assert {name: written[name] for name in golden["data"]} == golden["data"]


@pytest.mark.parametrize("event", SAMPLES.values(), ids=SAMPLES.keys())
def test_nothing_of_an_event_is_kept_when_it_has_been_read(event: Event[Data]) -> None:
    bodies = [_of_another_medium(encode(event)) for _ in range(300)]
    decode(bodies[0])

    tracemalloc.start()
    for body in bodies:
        decode(body)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # A text of theirs that was kept would be 80 bytes an event; the rest is the process's own.
    assert kept < 40 * len(bodies)


def _of_another_medium(message: Message) -> Record:
    """The same, said of a medium that nobody has heard of."""
    media, body = uuid4().hex, json.loads(message.value or b"{}")
    headers = {**message.headers, "ce_subject": media}
    if "dead_letter" in headers:  # its data is there, its value the original's
        letter = {**json.loads(headers["dead_letter"]), "media_id": media}
        headers["dead_letter"] = json.dumps(letter)
    else:
        body["media_id"] = media
    return replace(record(message), value=json.dumps(body).encode(), headers=headers)


def test_headers_are_those_of_the_kafka_binding() -> None:
    message = encode(SAMPLES["media.uploaded"])

    assert message.headers["ce_specversion"] == "1.0"
    assert message.headers["ce_type"] == "media.uploaded.v1"
    assert message.headers["ce_subject"] == message.key
    assert message.headers["content-type"] == "application/json"
    assert "ce_time" in message.headers


def test_an_unknown_field_is_kept_and_handed_on() -> None:
    message = encode(SAMPLES["items.segmented"])
    value = json.loads(message.value or b"")
    value["hue"] = "teal"
    value["frame"]["sharpness"] = 3

    again = decode(record(replace(message, value=json.dumps(value).encode())))

    handed_on = json.loads(dump(again.data))
    assert handed_on["hue"] == "teal"
    assert handed_on["frame"]["sharpness"] == 3


def test_an_unknown_attribute_is_kept_and_handed_on() -> None:
    message = encode(SAMPLES["media.uploaded"])
    headers = {**message.headers, "ce_tenant": "shop-7"}

    again = decode(record(replace(message, headers=headers)))

    assert encode(again).headers["ce_tenant"] == "shop-7"


def test_a_newer_major_version_asks_for_an_upgrade() -> None:
    message = encode(SAMPLES["media.uploaded"])
    headers = {**message.headers, "ce_type": "media.uploaded.v2"}

    with pytest.raises(NewerEventError, match="upgrade me"):
        decode(record(replace(message, headers=headers)))


@pytest.mark.parametrize("attribute", ["ce_id", "ce_source", "ce_type", "ce_subject", "ce_root"])
def test_a_missing_attribute_is_named(attribute: str) -> None:
    message = encode(SAMPLES["media.uploaded"])
    headers = {name: text for name, text in message.headers.items() if name != attribute}

    with pytest.raises(SchemaError, match=attribute.removeprefix("ce_")):
        decode(record(replace(message, headers=headers)))


@pytest.mark.parametrize("value", [b"", b"[]", b'{"media_id": 3}', b"\xff\xfe"])
def test_data_that_does_not_follow_its_model_is_refused_with_words(value: bytes) -> None:
    message = encode(SAMPLES["media.uploaded"])

    with pytest.raises(SchemaError, match="media.uploaded.v1"):
        decode(record(replace(message, value=value)))


@pytest.mark.parametrize("value", [b"", b"{", b"[1]"])
def test_a_broken_structured_event_is_refused(value: bytes) -> None:
    headers = {"content-type": "application/cloudevents+json"}
    broken = Record(TopicPartition("t", 0), 0, 0, "k", value, headers)

    with pytest.raises(SchemaError):
        decode(broken)


async def test_large_data_travels_as_a_claim_check(tmp_path: Path) -> None:
    blobs = await FolderBlobStore.open(tmp_path)
    small = SAMPLES["media.uploaded"].of(MediaUploaded)
    data = small.data.model_copy(update={"filename": "x" * (INLINE_LIMIT + 1)})
    event = replace(small, data=data)

    message = await encode_checked(event, dump(data), blobs)

    assert message.value == b""
    reference = dataref(record(message))
    assert reference is not None
    assert decode(record(message), await blobs.get(reference)).data == data
    await blobs.close()


def test_a_dead_letter_keeps_the_original_bytes_and_says_why() -> None:
    letter = SAMPLES["dead.letters"].of(DeadLetter)

    again = decode(record(encode(letter)))

    assert again.of(DeadLetter).data.reason == letter.data.reason


def test_a_tombstone_is_an_event_that_says_what_is_gone() -> None:
    gone = Tombstone(media_id="m", of_topic="media.tagged", of_key="m")
    event = replace(SAMPLES["media.tagged"], data=gone, subject="m")

    message = encode(event)

    assert (message.topic, message.key, message.value) == ("media.tagged", "m", None)
    assert message.headers["ce_type"] == "media.tagged.v1"
    assert replace(decode(record(message)), time="") == event


def test_a_tombstone_of_others_without_a_header_is_read() -> None:
    event = decode(Record(TopicPartition("media.tagged", 2), 7, 0, "m", None, {}))

    assert event.data == Tombstone(media_id="m", of_topic="media.tagged", of_key="m")
    assert (event.subject, event.id) == ("m", "media.tagged/2/7")


def test_a_record_without_key_and_value_says_nothing() -> None:
    with pytest.raises(SchemaError, match="neither a key nor a value"):
        decode(Record(TopicPartition("media.tagged", 0), 0, 0, None, None, {}))

"""The reader of events takes no more than the writer makes, whatever bytes stand in a record."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.bounds import MOST_DEPTH, check_json
from core.envelope import attributes_of, dataref, decode, dump, encode, encode_structured
from core.errors import NewerEventError, SchemaError
from core.events import TOPICS
from core.log.port import Message, Record, TopicPartition
from tests.core.samples import SAMPLES

STRUCTURED = {"content-type": "application/cloudevents+json"}


def record(message: Message, **changes: Any) -> Record:
    headers = {**message.headers, **changes.pop("headers", {})}
    topic, value = changes.pop("topic", message.topic), changes.pop("value", message.value)
    return Record(TopicPartition(topic, 0), 0, 0, message.key, value, headers)


def structured(kind: str = "media.uploaded", **changes: object) -> Record:
    """An event in structured mode with some attributes replaced."""
    message = encode_structured(SAMPLES[kind])
    attributes = {**json.loads(message.value or b""), **changes}
    return record(message, value=json.dumps(attributes).encode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_json_that_is_nested_without_end_is_refused(opening: bytes) -> None:
    value = opening * 200_000
    inside = b'{"data":' + value

    for bad in (value, inside):
        broken = Record(TopicPartition("media.uploaded", 0), 0, 0, "k", bad, STRUCTURED)
        with pytest.raises(SchemaError, match="deep|JSON"):
            decode(broken)
        assert attributes_of(broken) == {}
    with pytest.raises(SchemaError):
        decode(record(encode(SAMPLES["media.uploaded"]), value=value))


def test_what_is_nested_as_deep_as_may_be_is_read_and_handed_on() -> None:
    deep: object = 1
    for _ in range(MOST_DEPTH - 3):
        deep = [deep]
    message = encode(SAMPLES["media.uploaded"])
    value = json.dumps({**json.loads(message.value or b""), "deep": deep}).encode()

    event = decode(record(message, value=value))

    assert decode(record(encode_structured(event))).data == event.data


def test_brackets_inside_of_text_are_not_nested() -> None:
    check_json(json.dumps(["[" * 500, '"{' * 500, "\\" * 501]).encode())


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 400_000 + b"[" * 200, b'"[' * 300_000])
def test_text_that_never_ends_takes_no_long_look(body: bytes) -> None:
    with pytest.raises(SchemaError):
        decode(record(encode(SAMPLES["media.uploaded"]), value=body))


@pytest.mark.parametrize("attribute", ["id", "source", "subject", "root", "pipeline", "frame"])
@pytest.mark.parametrize("text", ["\ud800", "a\x00b", "a\nb", "x" * 3_000, ["x"], {"x": 1}, 1.5])
def test_an_attribute_is_text_within_bounds(attribute: str, text: object) -> None:
    with pytest.raises(SchemaError, match=attribute):
        decode(structured(**{attribute: text}))
    assert attribute not in attributes_of(structured(**{attribute: text}))


@pytest.mark.parametrize("attribute", ["subject", "root", "pipeline", "frame"])
@pytest.mark.parametrize("text", ["..", ".x", "a//b", "a\\b", "x" * 161, "é" * 81])
def test_what_becomes_a_key_is_a_segment_of_one(attribute: str, text: str) -> None:
    message = encode(SAMPLES["items.segmented"])

    with pytest.raises(SchemaError, match=attribute):
        decode(record(message, headers={f"ce_{attribute}": text}))


def test_attributes_fit_beside_the_data_of_every_event_that_inherits_them() -> None:
    many = {f"ce_x{n}": "y" * 2_000 for n in range(20)}

    with pytest.raises(SchemaError, match="attributes"):
        decode(record(encode(SAMPLES["media.uploaded"]), headers=many))


def test_whole_numbers_and_truth_values_of_structured_mode_become_text() -> None:
    event = decode(structured(hop=3, fresh=True, gone=None))

    assert event.extensions == {"hop": "3", "fresh": "true", "tenant": "shop"}


def test_data_in_base64_is_read() -> None:
    inline = json.loads(encode_structured(SAMPLES["media.uploaded"]).value or b"")
    data = inline.pop("data")
    value = json.dumps({**inline, "data_base64": _base64(data)}).encode()
    message = encode_structured(SAMPLES["media.uploaded"])

    event = decode(record(message, value=value))

    assert event.data == SAMPLES["media.uploaded"].data
    assert event.extensions == SAMPLES["media.uploaded"].extensions
    with pytest.raises(SchemaError, match="base64"):
        decode(structured(data_base64="%%%"))


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [("items.segmented", b'"score":0.91'), ("items.segmented", b'"box":[10.0')],
)
def test_no_infinity_is_read(number: bytes, kind: str, field: bytes) -> None:
    message = encode(SAMPLES[kind])
    assert field in (message.value or b"")
    start = field[: field.index(b":") + 1] + (b"[" if b"[" in field else b"")
    value = (message.value or b"").replace(field, start + number)
    inline = encode_structured(SAMPLES[kind])
    attributes = json.loads(inline.value or b"")
    marked = json.dumps({**attributes, "data": "@"}).encode().replace(b'"@"', value)

    with pytest.raises(SchemaError):
        decode(record(message, value=value))
    with pytest.raises(SchemaError):
        decode(record(inline, value=marked))


@pytest.mark.parametrize("vector", ["", "AAA=", "AADAfw==", "AACAfw=="])
def test_a_vector_is_of_finite_numbers(vector: str) -> None:
    message = encode(SAMPLES["items.embedded"])
    data = json.loads(message.value or b"")
    data["items"][0]["vector"] = vector

    with pytest.raises(SchemaError, match="vector"):
        decode(record(message, value=json.dumps(data).encode()))


def test_a_number_that_no_store_holds_is_refused() -> None:
    message = encode(SAMPLES["media.uploaded"])
    data = {**json.loads(message.value or b""), "announcement": 10**400}

    with pytest.raises(SchemaError, match="announcement"):
        decode(record(message, value=json.dumps(data).encode()))


def test_data_is_about_the_medium_that_the_event_names() -> None:
    with pytest.raises(SchemaError, match="subject"):
        decode(record(encode(SAMPLES["media.uploaded"]), headers={"ce_subject": "another"}))


def test_a_known_type_on_a_topic_that_is_not_its_own_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected"):
        decode(record(encode(SAMPLES["media.uploaded"]), topic="items.matched"))


def test_only_a_newer_version_of_the_topics_own_type_asks_for_an_upgrade() -> None:
    def typed(event_type: str) -> Record:
        return record(encode(SAMPLES["media.uploaded"]), headers={"ce_type": event_type})

    with pytest.raises(NewerEventError, match="tagger dlq bury media.uploaded:0:0"):
        decode(typed("media.uploaded.v9"))
    for stranger in ("frames.extracted.v9", "anything.v9", "media.uploaded.v0", "v9"):
        with pytest.raises(SchemaError, match="unknown"):
            decode(typed(stranger))
    with pytest.raises(SchemaError):
        decode(typed("media.uploaded.v" + "9" * 2_000))


_text = st.text(st.characters(codec=None), max_size=40)
_names = st.sampled_from(sorted({*encode(SAMPLES["items.matched"]).headers, "dead_letter"}))
_headers = st.dictionaries(_names | _text, _text | st.sampled_from(TOPICS), max_size=12)
_modes = st.sampled_from([{}, STRUCTURED])
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _text,
    lambda inner: st.lists(inner) | st.dictionaries(_text, inner),
)


@given(
    topic=st.sampled_from(TOPICS),
    key=st.none() | _text,
    headers=_headers,
    mode=_modes,
    value=st.none() | st.binary() | _json.map(lambda value: json.dumps(value).encode()),
)
def test_any_record_is_an_event_or_refused_in_words(
    topic: str, key: str | None, headers: dict[str, str], mode: dict[str, str], value: bytes | None
) -> None:
    anything = Record(TopicPartition(topic, 0), 0, 0, key, value, {**headers, **mode})

    assert all(isinstance(text, str) for text in attributes_of(anything).values())
    try:
        dataref(anything)
        event = decode(anything)
    except (SchemaError, NewerEventError):
        return
    dump(event.data)
    "".join((event.id, event.subject, event.root, event.pipeline, event.time)).encode()


@given(
    kind=st.sampled_from(sorted(SAMPLES)),
    attribute=st.sampled_from(["id", "subject", "root", "pipeline", "time", "extra", "data"]),
    value=_json,
)
def test_what_is_read_can_be_stored_and_read_back(kind: str, attribute: str, value: object) -> None:
    try:
        event = decode(structured(kind, **{attribute: value}))
    except SchemaError:
        return

    again = decode(record(encode_structured(event)))

    assert replace(again, time=event.time) == event


def _base64(data: object) -> str:
    import base64

    return base64.b64encode(json.dumps(data).encode()).decode()

"""CloudEvents 1.0 around the data, as Kafka carries them.

Written in binary mode: attributes are record headers (``ce_id``, ``ce_type``, ...), the value is
the data's JSON. Read in binary and in structured mode (``application/cloudevents+json``). A record
without a value is a tombstone: it is an event, too, whose data says what is gone. Data that is too
large for a record is ``core.claimcheck``'s.

Sources: CloudEvents 1.0.2, its Kafka protocol binding, and its extensions ``dataref`` and
distributed tracing (W3C Trace Context).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from pydantic import ValidationError

from core.bounds import check_attribute, check_attributes, check_json, is_attribute
from core.errors import NewerEventError, SchemaError
from core.events import MODELS, Data, DeadLetter, Purpose, Tombstone
from core.log.port import Message, Record

D = TypeVar("D", bound=Data)
DataT_co = TypeVar("DataT_co", bound=Data, covariant=True)

_STRUCTURED = "application/cloudevents+json"
_KNOWN: tuple[type[Data], ...] = (*MODELS, DeadLetter)
_BY_TYPE: dict[str, type[Data]] = {model.type(): model for model in _KNOWN}
_TYPES: dict[str, str] = {model.topic: model.type() for model in _KNOWN}
_VERSIONED = re.compile(r"(?P<name>.+)\.v(?P<major>[1-9][0-9]{0,8})")
PURPOSES = ("query", "catalog")
_REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_root")
_OURS = frozenset(
    [
        *_REQUIRED,
        *("ce_specversion", "ce_time", "ce_datacontenttype", "ce_traceparent"),
        *("ce_data", "ce_data_base64"),
        *("ce_pipeline", "ce_purpose", "ce_frame", "ce_target", "ce_replay", "ce_dataref"),
        *("content-type", "traceparent"),
    ]
)
"""Other headers that begin with ``ce_`` are extensions of others."""


@dataclass(slots=True)  # not frozen for speed, see core.log.port; nobody changes one
class Event(Generic[DataT_co]):
    """One event: who says what about which medium, and what it all began with.

    Attributes:
        id: the ce_id; equal for equal work, so subscribers drop repeats by it.
        source: URI reference of the maker, e.g. ``/stages/frames``.
        subject: the media id.
        time: when it was published; RFC 3339.
        root: ce_id of the upload that this all began with.
        pipeline: the path it came by (``core.paths``), empty for uploads.
        frame: the frame id, where the event is about one frame.
        target: the only stage that shall handle it (a redriven dead letter), else None.
        replay: the replay group it belongs to, else None.
        traceparent: W3C trace context.
        extensions: attributes of others, handed on as they came.
    """

    id: str
    source: str
    subject: str
    root: str
    data: DataT_co
    purpose: Purpose = "query"
    pipeline: str = ""
    frame: str | None = None
    time: str = ""
    target: str | None = None
    replay: str | None = None
    traceparent: str | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)

    def of(self, model: type[D]) -> Event[D]:
        """The same event, known to carry ``model``; raises SchemaError if it does not."""
        if not isinstance(self.data, model):
            raise SchemaError(f"expected {model.type()}, got {self.data.type()}")
        return cast("Event[D]", self)


def encode(event: Event[Data], value: bytes | None = None, dataref: str | None = None) -> Message:
    """The event as a record. ``value`` spares a second serialisation; with ``dataref`` the value
    is empty. Only a tombstone's is absent."""
    data = event.data
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": event.source,
        "ce_type": type_of(data),
        "ce_time": event.time or now(),
        "ce_subject": event.subject,
        "ce_root": event.root,
        "ce_purpose": event.purpose,
        "content-type": "application/json",
    }
    if event.pipeline:
        headers["ce_pipeline"] = event.pipeline
    if event.frame is not None:
        headers["ce_frame"] = event.frame
    if event.target is not None:
        headers["ce_target"] = event.target
    if event.replay is not None:
        headers["ce_replay"] = event.replay
    if event.traceparent is not None:
        headers["traceparent"] = event.traceparent
    for name, text in event.extensions.items():
        headers[f"ce_{name}"] = text
    if isinstance(data, Tombstone):
        return Message(data.of_topic, data.of_key, None, headers)
    if dataref is not None:
        headers["ce_dataref"] = dataref
        value = b""
    elif value is None:
        value = dump(data)
    return Message(data.topic, data.key(), value, headers)


def encode_structured(event: Event[Data]) -> Message:
    """The event in structured mode: one JSON object; for senders and tools that prefer it. Of a
    tombstone the data is null, and the record is no tombstone."""
    binary = encode(event)
    attributes: dict[str, Any] = {
        name.removeprefix("ce_"): text
        for name, text in binary.headers.items()
        if name.startswith("ce_") or name == "traceparent"
    }
    attributes["datacontenttype"] = "application/json"
    attributes["data"] = None if binary.value is None else json.loads(binary.value)
    value = json.dumps(attributes, ensure_ascii=False).encode()
    return Message(binary.topic, binary.key, value, {"content-type": _STRUCTURED})


def dataref(record: Record) -> str | None:
    """The blob key that holds the record's data, if it is not inline; raises SchemaError."""
    headers = _parse_structured(record) if _structured(record) else record.headers
    reference = headers.get("ce_dataref")
    if reference is not None:
        check_attribute("ce_dataref", reference)
    return cast("str | None", reference)


def attributes_of(record: Record) -> dict[str, str]:
    """The attributes of an event in either mode that may not be worth the name: those that keep
    to their bounds. Raises nothing."""
    try:
        headers = _parse_structured(record) if _structured(record) else record.headers
    except SchemaError:
        return {}
    return {
        header.removeprefix("ce_"): text
        for header, text in headers.items()
        if is_attribute(header) and is_proper(header, text)
    }


def is_proper(header: str, text: object) -> bool:
    """Whether an attribute keeps to its bounds."""
    try:
        check_attribute(header, text)
    except SchemaError:
        return False
    return header != "ce_purpose" or text in PURPOSES


def decode(record: Record, referenced: bytes | None = None) -> Event[Data]:
    """Reads either mode, and tombstones; ``referenced`` is what :func:`dataref` pointed at.

    Raises:
        SchemaError: an attribute is missing or out of its bounds, or the data does not follow its
            model, or belongs on another topic.
        NewerEventError: the type is that of the topic, in a major version that this build does
            not know.
    """
    headers: Mapping[str, Any] = record.headers
    if record.value is None and "dead_letter" not in headers:
        return _tombstone(record)
    if "dead_letter" in headers:  # its value is the original's, its data a header
        body = str(headers["dead_letter"]).encode(errors="replace")
    elif _structured(record):
        headers = _parse_structured(record)
        body = referenced if referenced is not None else _inline(headers)
    else:
        body = referenced if referenced is not None else record.value or b""
    for header in _REQUIRED:
        if not headers.get(header):
            name = header.removeprefix("ce_")
            raise SchemaError(f"CloudEvents attribute '{name}' is missing on {record.topic}")
    check_attributes(headers)
    event_type = headers["ce_type"]
    if event_type not in _BY_TYPE and is_newer(event_type, record.topic):
        raise NewerEventError(
            f"the event at {record.place} is of type '{event_type}', this build knows"
            f" '{_TYPES[record.topic]}': upgrade me, or step over it with"
            f" `tagger dlq bury {record.place}`; nothing was skipped"
        )
    data = parse(event_type, body)
    if data.topic != record.topic and (expected := _TYPES.get(record.topic)):
        raise SchemaError(f"expected {expected} on {record.topic}, got {event_type}")

    if data.media_id != headers["ce_subject"]:
        raise SchemaError(f"{event_type}: media_id is not the event's subject")
    return _event(headers, data)


def is_newer(event_type: str | None, topic: str) -> bool:
    """Whether it is a topic's own type in a major version that this build does not know. A stage
    stops for these and no others: a stranger's type is only a stranger's."""
    if event_type is None or (match := _VERSIONED.fullmatch(event_type)) is None:
        return False
    return any(
        topic == match["name"] == model.topic and int(match["major"]) > model.version
        for model in MODELS
    )


def _tombstone(record: Record) -> Event[Data]:
    """Others write tombstones without any header; what such a one leaves unsaid is its place."""
    if record.key is None:
        raise SchemaError(f"a record on {record.topic} has neither a key nor a value")
    # Its key may be of a frame, and nothing is stored of it.
    check_attributes({"ce_subject": record.key, **record.headers}, segments=False)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    unsaid = {"ce_id": place, "ce_source": f"/topics/{record.topic}", "ce_subject": record.key}
    headers = {**unsaid, "ce_root": place, **record.headers}
    gone = Tombstone(media_id=headers["ce_subject"], of_topic=record.topic, of_key=record.key)
    return _event(headers, gone)


def _inline(headers: Mapping[str, Any]) -> bytes:
    """The data of an event in structured mode, as the bytes it would be in binary mode."""
    if "ce_data_base64" not in headers:
        return json.dumps(headers.get("ce_data")).encode()
    try:
        return base64.b64decode(headers["ce_data_base64"], validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise SchemaError(f"structured CloudEvent: data_base64: {error}") from error


def _event(headers: Mapping[str, Any], data: Data) -> Event[Data]:
    purpose = headers.get("ce_purpose", "query")
    if purpose not in PURPOSES:
        raise SchemaError(f"purpose '{purpose}' is neither 'query' nor 'catalog'")
    return Event(
        id=headers["ce_id"],
        source=headers["ce_source"],
        subject=headers["ce_subject"],
        root=headers["ce_root"],
        data=data,
        purpose=purpose,
        pipeline=headers.get("ce_pipeline", ""),
        frame=headers.get("ce_frame"),
        time=headers.get("ce_time", ""),
        target=headers.get("ce_target"),
        replay=headers.get("ce_replay"),
        traceparent=headers.get("traceparent") or headers.get("ce_traceparent"),
        extensions=_extensions(headers),
    )


def parse(event_type: str, body: bytes) -> Data:
    """The data of a type; raises SchemaError."""
    model = _BY_TYPE.get(event_type)
    if model is None:
        raise SchemaError(f"unknown event type '{event_type}'")
    check_json(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        raise SchemaError(f"{event_type}: {where}: {first['msg']}") from error


def type_of(data: Data) -> str:
    """The CloudEvents type: topic and major version. A tombstone has that of what is gone."""
    if isinstance(data, Tombstone):
        return _TYPES.get(data.of_topic, f"{data.of_topic}.v1")
    return data.type()


def dump(data: Data) -> bytes:
    """The data's JSON, UTF-8; equal data gives equal bytes."""
    return data.__pydantic_serializer__.to_json(data)  # as model_dump_json does, in bytes


def now() -> str:
    """RFC 3339, UTC, milliseconds."""
    return _written(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)
def _written(milliseconds: int) -> str:
    """Many events are published in the same millisecond."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _structured(record: Record) -> bool:
    """A dead letter is in binary mode, whatever its original was in."""
    headers = record.headers
    return headers.get("content-type", "").startswith(_STRUCTURED) and "dead_letter" not in headers


def _extensions(headers: Mapping[str, Any]) -> dict[str, str]:
    if headers.keys() <= _OURS:
        return {}
    others = [name for name in sorted(headers.keys() - _OURS) if name.startswith("ce_")]
    for name in others:
        check_attribute(name, headers[name])
    return {name.removeprefix("ce_"): headers[name] for name in others}


def _parse_structured(record: Record) -> dict[str, Any]:
    """Its attributes, under the headers that would hold them in binary mode."""
    value = record.value or b""
    check_json(value)
    try:
        attributes = json.loads(value, parse_constant=_no_number)
    except ValueError as error:
        raise SchemaError(f"structured CloudEvent is not JSON: {error}") from error
    if not isinstance(attributes, dict):
        raise SchemaError("structured CloudEvent is not a JSON object")
    return {
        f"ce_{name}": value if name in ("data", "data_base64") else _canonical(value)
        for name, value in attributes.items()
        if value is not None or name == "data"
    }


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number of JSON")


def _canonical(value: object) -> object:
    """Attributes may be whole numbers and truth values in JSON; headers say them in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value

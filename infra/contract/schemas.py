"""JSON schemas of what travels: the data from the event models, the envelope from one table.

AsyncAPI's own schemas are JSON Schema draft 07, so what pydantic says in 2020-12 is put that way.
They are the *readers'* side: a field with a default may be missing, as it is in events that were
written before the field was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from core.events import Data

Schema = dict[str, Any]

STRUCTURED = "application/cloudevents+json"
_REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A CloudEvents attribute: a header in binary mode, a member in structured mode."""

    name: str
    meaning: str
    required: bool = False
    form: tuple[tuple[str, Any], ...] = ()

    @property
    def header(self) -> str:
        return "traceparent" if self.name == "traceparent" else f"ce_{self.name}"

    def schema(self) -> Schema:
        return {"type": "string", "description": self.meaning, **dict(self.form)}


_ATTRIBUTES = (
    _Attribute("specversion", "Version of CloudEvents.", True, (("const", "1.0"),)),
    _Attribute(
        "id",
        "Identity of the event, derived from its content: a repeat has the same one. Drop repeats"
        " by it.",
        True,
    ),
    _Attribute(
        "source",
        "The maker, `/stages/NAME` or `/producers/NAME`.",
        True,
        (("format", "uri-reference"),),
    ),
    _Attribute("type", "Topic and major version of the data, e.g. `media.tagged.v1`.", True),
    _Attribute("subject", "The media id.", True),
    _Attribute(
        "root",
        "`id` of the `media.uploaded` that all this began with; one upload's events share it.",
        True,
    ),
    _Attribute("time", "When it was published, UTC.", form=(("format", "date-time"),)),
    _Attribute(
        "purpose",
        "`query`: a medium to be tagged. `catalog`: a picture of a product. Without it, `query`.",
        form=(("enum", ["query", "catalog"]),),
    ),
    _Attribute(
        "pipeline",
        "The path it came by: eight hex digits of the version of each stage that shaped it, models"
        " and settings included, joined by dots in the order frames, segment, embed. What has the"
        " same path, or begins with the same one, was made alike so far.",
    ),
    _Attribute("frame", "The frame id, where the event is about one frame."),
    _Attribute(
        "target",
        "The only stage that shall handle it: a dead letter on its second way. Its `id` is that of"
        " the first, so a subscriber who has seen that one drops it.",
    ),
    _Attribute(
        "replay",
        "The replay that made it: old work done again, for instance with newer models. It counts"
        " like any other event; leave it out only where the past must not act again.",
    ),
    _Attribute(
        "dataref",
        "Where the data is, if it is too large to travel: a reference relative to the URL of the"
        " server `objects`. GET it; the body is the data as JSON, and the SHA-256 of its bytes is"
        " in the name.",
        form=(("format", "uri-reference"), ("pattern", r"^data/[a-z.]+/[0-9a-f]{64}\.json$")),
    ),
    _Attribute("traceparent", "W3C Trace Context."),
)


def data_schemas(models: Sequence[type[Data]]) -> dict[str, Schema]:
    """By name, the schema of each model and of all that they are made of."""
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_REFERENCE,
        schema_generator=_Draft07,
    )
    found: dict[str, Schema] = schemas["$defs"]
    for schema in found.values():
        schema["description"] = schema["description"].replace("``", "`")
        for field in schema["properties"].values():
            if field.get("format") == "base64":
                del field["format"]
                field["contentEncoding"] = "base64"
    return found


def envelope_schemas() -> dict[str, Schema]:
    """``Headers`` of binary mode, and ``CloudEvent``, the value of structured mode."""
    headers = _object((each.header, each) for each in _ATTRIBUTES)
    headers["description"] = (
        "Record headers of binary mode; names and values are UTF-8. Others that begin with `ce_`"
        " are attributes of whoever uploaded the medium, handed on."
    )
    headers["properties"]["content-type"] = {
        "type": "string",
        "description": "Media type of the value; tells binary from structured mode.",
    }
    headers["required"].append("content-type")
    event = _object((each.name, each) for each in _ATTRIBUTES)
    event["description"] = "An event in structured mode: one JSON object holds attributes and data."
    event["properties"]["datacontenttype"] = {"type": "string", "const": "application/json"}
    event["oneOf"] = [{"required": ["data"]}, {"required": ["dataref"]}]
    return {"Headers": headers, "CloudEvent": event}


def headers_schema(model: type[Data]) -> Schema:
    """Headers of the model's events in binary mode."""
    return {"allOf": [_ref("Headers"), {"properties": {"ce_type": {"const": model.type()}}}]}


def structured_headers_schema() -> Schema:
    """Headers in structured mode: nothing but the media type, possibly with parameters."""
    kind = {"type": "string", "pattern": "^application/cloudevents\\+json"}
    return {"type": "object", "properties": {"content-type": kind}, "required": ["content-type"]}


def data_schema(model: type[Data]) -> Schema:
    """The data alone: the value of binary mode, and what a ``dataref`` points at."""
    return _ref(model.__name__)


def structured_schema(model: type[Data]) -> Schema:
    """Attributes and data of the model's events: the value of structured mode."""
    own = {"type": {"const": model.type()}, "data": data_schema(model)}
    return {"allOf": [_ref("CloudEvent"), {"properties": own}]}


class _Draft07(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # it would repeat the field's name

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        found = super().tuple_schema(schema)
        found["items"] = found.pop("prefixItems")
        return found


def _object(fields: Iterator[tuple[str, _Attribute]]) -> Schema:
    named = dict(fields)
    return {
        "type": "object",
        "properties": {name: attribute.schema() for name, attribute in named.items()},
        "required": [name for name, attribute in named.items() if attribute.required],
    }


def _ref(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(model=name)}

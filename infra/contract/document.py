"""The contract for other systems, AsyncAPI 3, made from the event models and ``topics.toml``.

``asyncapi.yaml`` beside it is kept in step by ``tagger asyncapi --check``. What a schema cannot
say stands in ``words.py``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import yaml

from core.addresses import refuse_userinfo
from core.errors import SettingsError
from core.events import MODELS, Data, DeadLetter, FrameExtracted, MediaUploaded
from core.log.port import TopicSpec
from core.settings import KafkaSettings
from infra.contract.samples import binary_examples, structured_examples
from infra.contract.schemas import (
    STRUCTURED,
    Schema,
    data_schema,
    data_schemas,
    envelope_schemas,
    headers_schema,
    structured_headers_schema,
    structured_schema,
)
from infra.contract.topics import cluster_topics
from infra.contract.words import BROKER, INFO, OBJECTS, TAGS, TOPICS

BROKER_ADDRESS = "localhost:29092"
STORE_URL = "http://localhost:9000/tagger"
"""Where ``compose.yaml`` shows log and blobs to its host."""

_KAFKA_BINDING = "0.5.0"
_LINE = 100


def asyncapi_document(broker: str = BROKER_ADDRESS, store: str = STORE_URL) -> dict[str, Any]:
    """The document of a deployment.

    Args:
        broker: ``host:port``.
        store: URL of the bucket, path-style.

    Raises:
        SettingsError: ``store`` is no such URL, or one of them holds a login.
    """
    for option, address in (("--broker", broker), ("--store", store)):
        try:
            refuse_userinfo(address, "who reads the document asks you for a login")
        except ValueError as error:
            raise SettingsError(f"{option}: {error}") from None
    models: tuple[type[Data], ...] = (*MODELS, DeadLetter)
    specs = {spec.name: spec for spec in cluster_topics()}
    return {
        "asyncapi": "3.1.0",
        "id": "urn:tagging-engine:events",
        "info": {
            "title": "Tagging engine",
            "version": version("tagging-engine"),
            "description": INFO,
            "license": {
                "name": "Apache-2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0",
            },
            "tags": [{"name": name, "description": meaning} for name, meaning in TAGS.items()],
        },
        "defaultContentType": "application/json",
        "servers": {"log": _broker(broker), "objects": _store(store)},
        "channels": {model.topic: _channel(model, specs[model.topic]) for model in models},
        "operations": {
            **{f"send.{model.topic}": _operation(model, "send") for model in models},
            f"receive.{MediaUploaded.topic}": _operation(MediaUploaded, "receive"),
        },
        "components": {
            "messages": {
                name: message for model in models for name, message in _messages(model).items()
            },
            "schemas": {**envelope_schemas(), **data_schemas(models)},
        },
    }


def as_yaml(document: dict[str, Any]) -> str:
    """The document as text; equal documents give equal bytes."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_LINE, indent=2
    )


def _broker(address: str) -> dict[str, Any]:
    compression = KafkaSettings.model_fields["compression"].default
    return {
        "host": "{broker}",
        "protocol": "kafka",
        "description": BROKER.format(compression=compression),
        "variables": {
            "broker": {"default": address, "description": "One or more `host:port`, with commas."}
        },
    }


def _store(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    bucket = parts.path.strip("/")
    if parts.scheme not in ("http", "https") or not parts.netloc or not bucket:
        raise SettingsError(f"'{url}' is not the URL of a bucket, such as {STORE_URL}")
    return {
        "host": "{store}",
        "pathname": "/{bucket}",
        "protocol": parts.scheme,
        "description": OBJECTS,
        "variables": {
            "store": {"default": parts.netloc, "description": "`host:port` of the S3 server."},
            "bucket": {"default": bucket, "description": "The engine's own bucket."},
        },
    }


def _channel(model: type[Data], spec: TopicSpec) -> dict[str, Any]:
    words = TOPICS[model.topic]
    kept = "compact" if spec.compacted else "delete"
    retention = -1 if spec.retention_s is None else int(spec.retention_s * 1000)
    return {
        "address": model.topic,
        "title": model.__name__,
        "summary": _summary(model),
        "description": f"Made by {words.made_by}. Read by {words.read_by}. {words.advice}".strip(),
        "servers": [{"$ref": "#/servers/log"}],
        "messages": {
            name.rpartition(".")[2]: {"$ref": f"#/components/messages/{name}"}
            for name in _messages(model)
        },
        "tags": [{"name": words.tag}],
        "bindings": {
            "kafka": {
                "partitions": spec.partitions,
                "topicConfiguration": {"cleanup.policy": [kept], "retention.ms": retention},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _operation(model: type[Data], action: str) -> dict[str, Any]:
    return {
        "action": action,
        "summary": _summary(model),
        "channel": {"$ref": f"#/channels/{model.topic}"},
        "tags": [{"name": TOPICS[model.topic].tag}],
    }


def _messages(model: type[Data]) -> dict[str, dict[str, Any]]:
    """One a mode. A dead letter has only one: its value may be of any kind."""
    if model is DeadLetter:
        return {f"{model.type()}.binary": _dead_letter()}
    binary = _message(model, "application/json", headers_schema(model), data_schema(model))
    structured = _message(model, STRUCTURED, structured_headers_schema(), structured_schema(model))
    if examples := binary_examples(model):
        binary["examples"] = examples
        structured["examples"] = structured_examples(model)
    return {f"{model.type()}.binary": binary, f"{model.type()}.structured": structured}


def _message(
    model: type[Data], content_type: str, headers: Schema, payload: Schema
) -> dict[str, Any]:
    key = "The frame id." if model is FrameExtracted else "The media id."
    return {
        "name": model.type(),
        "title": model.__name__,
        "summary": _summary(model),
        "contentType": content_type,
        "headers": headers,
        "payload": payload,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": key},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _dead_letter() -> dict[str, Any]:
    header = {
        "type": "string",
        "contentMediaType": "application/json",
        "description": "The letter: JSON that follows the schema `DeadLetter`.",
    }
    headers = headers_schema(DeadLetter)
    headers["allOf"].append({"properties": {"dead_letter": header}, "required": ["dead_letter"]})
    payload = {"description": "The value of the record that was given up, byte for byte."}
    return _message(DeadLetter, "application/octet-stream", headers, payload)


def _summary(model: type[Data]) -> str:
    paragraph = (model.__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split()).replace("``", "`")


class _Dumper(yaml.SafeDumper):
    """Text of several lines stays text of several lines; nothing is said by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

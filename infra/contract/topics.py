"""Every topic and how it is kept: a recipe for the embedded log, ``topics.toml`` for a cluster."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from consumers.results.stage import ResultsStage
from core.errors import SettingsError
from core.events import TOPICS, MediaTagged
from core.log.port import TopicSpec

_DAY_S = 86_400.0


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    partitions: int = Field(ge=1)
    retention_days: float | Literal["unlimited"]
    compacted: bool


def embedded_topics(partitions: int) -> list[TopicSpec]:
    """On one machine all topics have the same partitions; ``media.tagged`` keeps each medium's
    newest result only."""
    return [TopicSpec(name, partitions, compacted=name == MediaTagged.topic) for name in TOPICS]


def cluster_topics(document: str | None = None) -> list[TopicSpec]:
    """What ``topics.toml`` says, or another document of its form.

    Raises:
        SettingsError: a topic is missing or unknown, or joined ones differ in partitions.
    """
    if document is None:
        document = files("infra.contract").joinpath("topics.toml").read_text()
    try:
        tables = tomllib.loads(document)
        specs = [_spec(name, tables["defaults"] | own) for name, own in tables["topics"].items()]
    except (KeyError, ValueError) as error:
        raise SettingsError(f"topics.toml: {error}") from error
    if odd := {spec.name for spec in specs} ^ set(TOPICS):
        raise SettingsError(f"topics.toml: missing or unknown: {', '.join(sorted(odd))}")
    joined = {model.topic for model in ResultsStage.reads}
    if len({spec.partitions for spec in specs if spec.name in joined}) > 1:
        raise SettingsError(
            f"topics.toml: topics that are joined need equally many partitions: {sorted(joined)}"
        )
    return specs


def drift(wanted: TopicSpec, found: TopicSpec) -> list[str]:
    """In words, where a topic is kept otherwise than wanted."""
    differences = []
    if found.partitions != wanted.partitions:
        differences.append(f"{found.partitions} partitions instead of {wanted.partitions}")
    if found.retention_s != wanted.retention_s:
        differences.append(f"keeps {_kept(found)} instead of {_kept(wanted)}")
    if found.compacted != wanted.compacted:
        differences.append("is compacted" if found.compacted else "is not compacted")
    if not found.append_times:
        differences.append("has its senders' times (message.timestamp.type is not LogAppendTime)")
    return differences


def _kept(spec: TopicSpec) -> str:
    return "everything" if spec.retention_s is None else f"{spec.retention_s / _DAY_S:g} days"


def _spec(name: str, table: dict[str, object]) -> TopicSpec:
    kept = _Kept.model_validate(table)
    days = None if kept.retention_days == "unlimited" else kept.retention_days
    retention_s = days * _DAY_S if days is not None else None
    return TopicSpec(name, kept.partitions, retention_s, kept.compacted)

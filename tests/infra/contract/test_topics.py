from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import SettingsError
from core.events import TOPICS
from core.log.port import TopicSpec
from infra.contract.topics import cluster_topics, drift

WANTED = TopicSpec("looks", partitions=12)
DOCUMENT = """
[defaults]
partitions = 12
retention_days = "unlimited"
compacted = false
[topics]
""" + "".join(f'[topics."{name}"]\n' for name in TOPICS)


def test_the_shipped_document_keeps_everything_and_compacts_only_results() -> None:
    specs = {spec.name: spec for spec in cluster_topics()}

    assert specs.keys() == set(TOPICS)
    assert {spec.retention_s for spec in specs.values()} == {None}
    assert [name for name, spec in specs.items() if spec.compacted] == ["media.tagged"]


def test_a_table_of_a_topic_overrides_the_defaults() -> None:
    own = "retention_days = 3\n"
    document = DOCUMENT.replace(
        '[topics."frames.extracted"]\n', f'[topics."frames.extracted"]\n{own}'
    )

    (found,) = (spec for spec in cluster_topics(document) if spec.name == "frames.extracted")

    assert found == TopicSpec("frames.extracted", 12, retention_s=3 * 86_400.0)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (DOCUMENT.replace('[topics."media.tagged"]\n', ""), "media.tagged"),
        (DOCUMENT + '[topics."media.tgaged"]\n', "media.tgaged"),
        (
            DOCUMENT.replace('[topics."media.framed"]', '[topics."media.framed"]\npartitions = 3'),
            "equally many",
        ),
        (DOCUMENT.replace("partitions = 12", "partitions = 0"), "partitions"),
        (DOCUMENT.replace("compacted = false", "compact = false"), "compact"),
        ("partitions 12", "topics.toml"),
    ],
)
def test_a_document_that_would_lose_or_split_events_is_refused(document: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        cluster_topics(document)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (WANTED, []),
        (replace(WANTED, partitions=8), ["8 partitions instead of 12"]),
        (replace(WANTED, retention_s=86_400.0), ["keeps 1 days instead of everything"]),
        (replace(WANTED, compacted=True), ["is compacted"]),
        (
            replace(WANTED, append_times=False),
            ["has its senders' times (message.timestamp.type is not LogAppendTime)"],
        ),
    ],
)
def test_drift_is_told_in_words(found: TopicSpec, told: list[str]) -> None:
    assert drift(WANTED, found) == told

"""``tagger topics create``: the topics of a cluster."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from core.settings import Settings
from infra.cli.options import AsJson, DataDir, load_settings
from infra.cli.show import screen
from infra.cli.stopping import run_until_stopped
from infra.contract.topics import cluster_topics, drift, embedded_topics
from infra.wiring.adapters import open_log, replication_factors


@dataclass(frozen=True, slots=True)
class Topic:
    """What became of a topic; ``drift`` says in words where it is kept otherwise than wanted."""

    name: str
    made: bool
    drift: list[str]


def create(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """Make the topics that are missing, and say where others are not as they should be.

    What exists is never changed: partitions cannot be, and the rest is the operator's to decide.
    """
    settings = load_settings(data_dir)
    topics = run_until_stopped(lambda _: _create(settings))
    for topic in topics:
        if as_json:
            print(json.dumps(asdict(topic)))
        else:
            _show(topic)


def _show(topic: Topic) -> None:
    state = "made" if topic.made else "; ".join(topic.drift) or "as it should be"
    screen.out().print(f"{topic.name}: {state}", soft_wrap=True, markup=False)


async def _create(settings: Settings) -> list[Topic]:
    wanted = (
        cluster_topics() if settings.clustered else embedded_topics(settings.runtime.partitions)
    )
    async with open_log(settings, "tagger-topics") as log:
        before = await log.topics()
        await log.create_topics(wanted)
        after = await log.topics()
        factors = await replication_factors(log)
    drifts = {spec.name: drift(spec, after[spec.name]) for spec in wanted}
    asked = settings.kafka.replication_factor
    for name in drifts.keys() & factors.keys():
        if asked not in (factors[name], -1):
            drifts[name].append(f"replication factor {factors[name]} instead of {asked}")
    return [Topic(name, name not in before, words) for name, words in drifts.items()]

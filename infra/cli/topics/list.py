"""``tagger topics list``: topics, and how far their readers are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from core.log.port import EventLog
from infra.cli.options import AsJson, DataDir, existing_data, load_settings
from infra.cli.show import screen, tables
from infra.cli.stopping import run_until_stopped
from infra.wiring.adapters import open_log


@dataclass(slots=True)
class _Topic:
    name: str
    partitions: int
    records: int
    compacted: bool
    lag: dict[str, int] = field(default_factory=dict)


def list_(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List topics with their records, and what each group has not done yet."""
    settings = load_settings(data_dir)
    existing_data(settings)

    async def read() -> list[_Topic]:
        async with open_log(settings) as log:
            return await _topics(log)

    topics = run_until_stopped(lambda _: read())
    if as_json:
        for topic in topics:
            print(json.dumps(asdict(topic)))
        return
    table = tables.table("Topic", "Records", "Partitions", "Kept", "Groups (events not done)")
    for topic in topics:
        lag = ", ".join(f"{group} ({count})" for group, count in topic.lag.items())
        kept = "newest of a key" if topic.compacted else "all"
        table.add_row(topic.name, str(topic.records), str(topic.partitions), kept, lag)
    screen.out().print(table)


async def _topics(log: EventLog) -> list[_Topic]:
    specs = await log.topics()
    begin, end = await log.begin_offsets(specs), await log.end_offsets(specs)
    topics = {
        name: _Topic(
            name,
            spec.partitions,
            sum(end[tp] - begin[tp] for tp in end if tp.topic == name),
            spec.compacted,
        )
        for name, spec in specs.items()
    }
    for group in await log.groups():
        for name in sorted({tp.topic for tp in await log.committed(group)}):
            topics[name].lag[group] = sum((await log.lag(group, [name])).values())
    return list(topics.values())

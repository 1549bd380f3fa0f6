"""Where a stage stops: at an event of its topic's own type in a newer major version.

A stage does not pass by what it cannot know: it stands still there until it is upgraded, or until
somebody says to step over the event. That word is kept in the state store, where the stage asks
for it when it meets the event again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.blobs.port import BlobStore
from core.envelope import attributes_of, is_newer
from core.errors import NewerEventError
from core.log.port import EventLog, Record, TopicPartition
from core.runtime.deadletters import dead_letter
from core.runtime.stage import Stage, wants
from core.state.port import StateStore

_STEPPED = "stepped/"
_REACH = 256
"""Records behind a group's offset among which one may hold it up; more are never under way."""


@dataclass(frozen=True, slots=True)
class Halt:
    """A record that a stage stops at, or is about to.

    Attributes:
        kind: the type of its event.
    """

    stage: str
    record: Record
    kind: str


class Steps:
    """The records that a group was told to step over."""

    def __init__(self, group: str, state: StateStore) -> None:
        self._prefix = f"{_STEPPED}{group}/"
        self._state = state

    async def told(self, record: Record) -> bool:
        return await self._state.get(self._key(record.tp, record.offset)) is not None

    async def tell(self, record: Record) -> None:
        await self._state.put([(self._key(record.tp, record.offset), b"")])

    async def forget(self, done: Iterable[tuple[TopicPartition, int]]) -> None:
        """Removes what was said of records before these offsets: they are passed."""
        keys = await self._state.keys(self._prefix)
        before = {f"{self._prefix}{tp.topic}/{tp.partition}": offset for tp, offset in done}
        passed = [
            key
            for key in keys
            for place, _, offset in (key.rpartition("/"),)
            if offset.isdecimal() and int(offset) < before.get(place, 0)
        ]
        if passed:
            await self._state.delete(passed)

    def _key(self, tp: TopicPartition, offset: int) -> str:
        return f"{self._prefix}{tp.topic}/{tp.partition}/{offset}"


async def halts(log: EventLog, state: StateStore, stage: type[Stage]) -> list[Halt]:
    """Where a stage stops, or will: the first such record of each partition."""
    topics = [model.topic for model in stage.reads]
    done, end = await log.committed(stage.name), await log.end_offsets(topics)
    found = []
    for tp, waiting in (await log.lag(stage.name, topics)).items():
        if waiting:
            start = {**end, tp: done.get(tp, 0)}
            halt = await _first(log, Steps(stage.name, state), stage, tp, start)
            found += [halt] if halt is not None else []
    return found


async def _first(
    log: EventLog,
    steps: Steps,
    stage: type[Stage],
    tp: TopicPartition,
    start: dict[TopicPartition, int],
) -> Halt | None:
    reach = _REACH
    async for record in log.tail([tp.topic], start, follow=False):
        if (halt := _halt(stage, record)) is not None and not await steps.told(record):
            return halt
        if (reach := reach - 1) == 0:
            break
    return None


async def halting(
    log: EventLog, stages: Iterable[type[Stage]], tp: TopicPartition, offset: int
) -> list[Halt]:
    """Every stage that stops, or will, at this very record."""
    topics = await log.topics()
    if tp.topic not in topics or not 0 <= tp.partition < topics[tp.topic].partitions:
        return []
    start = {**await log.end_offsets([tp.topic]), tp: offset}
    async for record in log.tail([tp.topic], start, follow=False):
        if (record.tp, record.offset) != (tp, offset):
            return []
        found = [halt for stage in stages if (halt := _halt(stage, record)) is not None]
        return [h for h in found if (await log.committed(h.stage)).get(tp, 0) <= offset]
    return []


async def step_over(log: EventLog, state: StateStore, blobs: BlobStore, halt: Halt) -> None:
    """Gives the event up in the stage's name, and lets the stage pass it by when it runs."""
    error = NewerEventError(f"type '{halt.kind}' is newer than this build; it was stepped over")
    letter, blob = dead_letter(halt.record, halt.stage, "", error, 0)
    if blob is not None:
        await blobs.put([blob])
    await log.publish([letter])
    steps = Steps(halt.stage, state)
    await steps.tell(halt.record)
    await steps.forget((await log.committed(halt.stage)).items())


def _halt(stage: type[Stage], record: Record) -> Halt | None:
    kind = attributes_of(record).get("type")
    reads = any(model.topic == record.topic for model in stage.reads)
    if kind is None or not reads or not is_newer(kind, record.topic) or not wants(stage, record):
        return None
    return Halt(stage.name, record, kind)

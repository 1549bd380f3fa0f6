"""What a stage is: a function from events to events, in one of two shapes.

A :class:`Stage` handles one event. A :class:`BatchStage` splits that into ``load`` (async, many at
once), ``infer`` (one device thread, many events together) and ``store`` (async), so the device
never waits for I/O. Neither knows of brokers, offsets, retries or metrics; those live in the
runner.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, Literal, TypeVar

from core import paths
from core.envelope import PURPOSES, Event
from core.events import Data, Purpose
from core.log.port import Record, TopicPartition
from core.runtime.batcher import Batcher

L = TypeVar("L")
R = TypeVar("R")


@dataclass(slots=True)  # not frozen for speed, see core.log.port; nobody changes one
class Output:
    """What a stage says next. Root, purpose, frame and pipeline come from the event it handled.
    Data that is a ``Tombstone`` is published as one.

    Attributes:
        pipeline: its whole path, where it is not the parent's with the stage's own step behind it.
        frame: the frame id, where the output is about another frame than its parent.
        event_id: a ce_id of its own derivation, else stage, parent and data derive it.
    """

    data: Data
    pipeline: str | None = None
    frame: str | None = None
    event_id: str | None = None


@dataclass(slots=True)
class Context:
    """Where an event was read, and the how-manieth try this is (from 1)."""

    tp: TopicPartition
    offset: int
    attempt: int


Publish = Callable[[Event[Data], Sequence[Output]], Awaitable[None]]
"""Publishes outputs outside a handler, under the stage's fence; raises OwnershipLostError."""


class Stage(ABC):
    """One event in, events out. The hooks are no-ops unless a stage needs them.

    Attributes:
        name: also the consumer group.
        reads: the topics, as their data models.
        lane: events of one medium, or of one frame, run in order.
        purposes: events of other purposes are skipped.
        tombstones: whether it is told of keys that are gone; else these are skipped.
        version: of whatever decides what it makes of an event; empty where that changes nothing of
            a medium's frames, items and vectors. Outputs carry it in their path (``core.paths``).
    """

    name: ClassVar[str]
    reads: ClassVar[tuple[type[Data], ...]]
    lane: ClassVar[Literal["media", "frame"]] = "frame"
    purposes: ClassVar[frozenset[Purpose]] = frozenset({"query", "catalog"})
    tombstones: ClassVar[bool] = False
    version: str = ""

    @cached_property
    def step(self) -> str:
        """What it appends to the paths of events."""
        return paths.step(self.version)

    def path(self, parent: str) -> str:
        """The path of what it makes of an event with this one."""
        return paths.extended(parent, self.step)

    @abstractmethod
    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        """The outputs of one event; raises the errors of ``core.errors``. May be repeated."""

    async def open(self, publish: Publish) -> None:
        """Called once before the first event."""

    async def background(self) -> None:
        """What runs beside the events: begins after ``open``, and is cancelled after the last
        event and before ``close``. Its error stops the stage; it may return."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """Called when partitions become ours, before their first event."""

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """Called when partitions go, after their last event; publishing still works."""

    async def close(self) -> None:
        """Called once after the last event; also where ``open`` failed."""


def wants(stage: Stage | type[Stage], record: Record) -> bool:
    """Whether a record is for this stage, as far as its headers say."""
    target = record.headers.get("ce_target")
    if target is not None and target != stage.name:
        return False
    purpose = record.headers.get("ce_purpose", "query")
    return purpose in stage.purposes or purpose not in PURPOSES  # decoding refuses those


class BatchStage(Stage, Generic[L, R]):
    """A stage around a device: what is loaded for many events is inferred together."""

    def __init__(self, batch_size: int, batch_wait_s: float) -> None:
        self._batcher: Batcher[L, R] = Batcher(self.name, self.infer, batch_size, batch_wait_s)

    def warm_up(self) -> None:
        """Makes the models ready, on the device thread; raises SettingsError."""

    @abstractmethod
    async def load(self, event: Event[Data]) -> L:
        """Fetches and decodes what one event needs."""

    @abstractmethod
    def infer(self, batch: Sequence[L]) -> list[R]:
        """Runs on the device thread; one result an input. An input's outcome must not depend on
        its neighbours in the batch."""

    @abstractmethod
    async def store(self, event: Event[Data], loaded: L, result: R) -> Sequence[Output]:
        """Writes blobs and says what was found."""

    async def open(self, publish: Publish) -> None:
        await self._batcher.prepare(self.warm_up)

    async def background(self) -> None:
        await self._batcher.work()

    async def handle(self, event: Event[Data], context: Context) -> Sequence[Output]:
        loaded = await self.load(event)
        result = await self._batcher.run(loaded)
        return await self.store(event, loaded, result)

    async def close(self) -> None:
        await self._batcher.close()

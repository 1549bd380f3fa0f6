"""What a group demands of a member, kept until it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import aiokafka
from aiokafka.abc import ConsumerRebalanceListener


@dataclass(frozen=True, slots=True)
class Incoming:
    """An assignment that the listener has not been called for."""

    partitions: frozenset[aiokafka.TopicPartition]
    generation: int


class GroupNotices(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka calls this from the task that follows the group.

    A revocation is held up until :meth:`left`: aiokafka joins the next generation when it returns,
    and its heartbeats go on until then. An assignment is only noted: there are no heartbeats before
    that call returns, and a listener that takes its time would cost the membership.

    Attributes:
        rejoining: nothing may be read: we have no partitions, or are about to lose them.
        incoming: an assignment to take over.
        leaving: somebody waits until the last assignment is given up.
    """

    def __init__(self, generation: Callable[[], int], wake: Callable[[], object]) -> None:
        self.rejoining = True
        self.incoming: Incoming | None = None
        self._generation = generation
        self._wake = wake
        self._left = asyncio.Event()
        self._left.set()
        self._closed = False

    @property
    def leaving(self) -> bool:
        return self.rejoining and not self._left.is_set()

    def left(self) -> None:
        """What was assigned is given up."""
        self.incoming = None
        self._left.set()

    def close(self) -> None:
        """Whatever the group demands from now on is ignored."""
        self._closed = True
        self.left()

    async def on_partitions_revoked(self, revoked: Collection[aiokafka.TopicPartition]) -> None:
        self.rejoining = True
        self._wake()
        await self._left.wait()

    def on_partitions_assigned(self, assigned: Collection[aiokafka.TopicPartition]) -> None:
        if self._closed:
            return
        self.incoming = Incoming(frozenset(assigned), self._generation())
        self.rejoining = False
        self._left.clear()
        self._wake()

"""How a running service gets on, in numbers."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from consumers.results.stage import ResultsStage
from core.events import MediaTagged, MediaUploaded
from core.log.port import TopicPartition
from core.results.parts import PartStore
from core.runtime.runner import StageRunner
from core.unread import Unread
from infra.running.service import Service
from producers.folder import FolderStatus

_WINDOW_S = 30.0
_COUNT_SHARE = 0.02
_COUNT_AT_LATEST_S = 5.0
_NAMED = 3


@dataclass(frozen=True, slots=True)
class StageStatus:
    """Attributes:
    backlog: events that wait or are worked on.
    active: of these, the ones worked on.
    paused: why it waits for a dependency, else None.
    """

    name: str
    backlog: int
    active: int
    paused: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """Attributes:
    tagged: results published since the start, failed ones included.
    failed: of these, media that could not be tagged.
    waiting: media announced and without a result.
    waits_for: while no event is worked on, what some of them wait for, in words.
    rate: results a second, lately.
    remaining_s: seconds until nothing waits if it goes on like this; None while nobody knows.
    unread: which results since the start cannot be read, and are counted nowhere else; or None.
    """

    tagged: int
    failed: int
    waiting: int
    rate: float
    remaining_s: float | None
    stages: tuple[StageStatus, ...]
    folders: tuple[tuple[Path, FolderStatus], ...]
    unread: str | None = None
    waits_for: tuple[str, ...] = ()

    @property
    def paused(self) -> str | None:
        """Why anything waits for a dependency."""
        reasons = [f"{stage.name}: {stage.paused}" for stage in self.stages if stage.paused]
        reasons += [f"{path}: {s.reason}" for path, s in self.folders if s.state == "paused"]
        return reasons[0] if reasons else None


class Observer:
    """Watches a service from the outside: its log, its state, its runners."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._ports = service.engine.ports
        self._next: dict[TopicPartition, int] = {}
        self._unread = Unread()
        self._tagged = 0
        self._failed = 0
        self._lately: deque[float] = deque()
        self._started = time.monotonic()
        self._waiting = 0
        self._count_again = 0.0

    @classmethod
    async def of(cls, service: Service) -> Self:
        """An observer that counts results from now on."""
        observer = cls(service)
        observer._next = await service.engine.ports.log.end_offsets([MediaTagged.topic])
        return observer

    async def status(self, exact: bool = False) -> Status:
        """``exact`` counts anew what may be some seconds old otherwise."""
        now = time.monotonic()
        await self._count_results(now)
        while self._lately and self._lately[0] < now - _WINDOW_S:
            self._lately.popleft()
        span = min(_WINDOW_S, now - self._started)
        rate = len(self._lately) / span if span > 0 else 0.0
        if exact or now >= self._count_again:
            started = time.monotonic()
            self._waiting = await self._count_waiting()
            # Counting takes the longer the more waits; it may take a fiftieth of our time.
            spent = time.monotonic() - started
            self._count_again = now + min(spent / _COUNT_SHARE, _COUNT_AT_LATEST_S)
        stages = tuple([await self._stage(runner) for runner in self._service.engine.runners])
        busy = any(stage.backlog or stage.active for stage in stages)
        return Status(
            tagged=self._tagged,
            failed=self._failed,
            waiting=self._waiting,
            rate=rate,
            remaining_s=_remaining(self._waiting, rate),
            stages=stages,
            folders=tuple((path, p.status) for path, p in self._service.producers.items()),
            unread=self._unread.words,
            waits_for=() if busy or not self._waiting else await self._waits_for(),
        )

    async def _count_results(self, now: float) -> None:
        async for record in self._ports.log.tail([MediaTagged.topic], self._next, follow=False):
            event = await self._unread.event(record, self._ports.blobs, MediaTagged)
            self._next[record.tp] = record.offset + 1
            if event is not None:
                self._tagged += 1
                self._failed += event.data.status == "failed"
                self._lately.append(now)

    async def _count_waiting(self) -> int:
        unread = await self._ports.log.lag(ResultsStage.name, [MediaUploaded.topic])
        return sum(unread.values()) + await PartStore(self._ports.state).unannounced()

    async def _waits_for(self) -> tuple[str, ...]:
        known = await PartStore(self._ports.state).waiting_for(_NAMED)
        return tuple(
            f"{media}: {', '.join(missing[:_NAMED]) or 'its announcement'}"
            + (f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else "")
            for media, missing in known.items()
        )

    async def _stage(self, runner: StageRunner) -> StageStatus:
        topics = [model.topic for model in runner.stage.reads]
        lag = await self._ports.log.lag(runner.group, topics)
        paused = runner.gate.reason if runner.gate.closed else None
        return StageStatus(runner.stage.name, sum(lag.values()), runner.in_flight, paused)


def _remaining(waiting: int, rate: float) -> float | None:
    if not waiting:
        return 0.0
    return waiting / rate if rate else None

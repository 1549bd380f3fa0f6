"""What all producers do: announce each version of what arrives in a place once.

Notices are hints, the listing is the truth: a producer subscribes first, then lists, lists again
after each new subscription and on a timer, and compares what it sees with the marks of what was
announced. A place that sends no notices is polled. While the place, or a store, is away, intake is
paused, and goes on by itself. Nothing in the place is ever moved, changed or deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal

import structlog

from core.errors import OutageError, StageStopError
from core.intake.intake import Intake
from producers.hold import Hold
from producers.left_out import LeftOutNote
from producers.marks import SeenMarks
from producers.options import WatchOptions
from producers.place import Admission, Found, Hint, Notice, Place, Put, Subscribed

_GATHER_S = 0.02
"""Seconds in which hints gather before they are followed: what comes together shall share a batch,
and a slow writer's thousand hints a second shall cost fifty looks."""

_NOT_YET = "not subscribed yet"

State = Literal["starting", "watching", "polling", "paused"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a producer stands, for the status line and health.

    Attributes:
        state: ``paused`` while the place or a store is away; intake resumes by itself.
        reason: why it polls or pauses, else empty.
        seen: pictures and videos in the place.
        announced: since the start.
        ignored: how many of other kinds are in the place, by extension.
    """

    state: State
    reason: str
    seen: int
    announced: int
    ignored: dict[str, int]


class Producer(Generic[Found, Hint]):
    """Announces what arrives in one place.

    Args:
        marks: of this place, under the producer's name.
        away: keeps count of the tries while the place is away.
        wake: set by whoever has something for the producer to do.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        place: Place[Found, Hint],
        admission: Admission[Found],
        *,
        marks: SeenMarks,
        intake: Intake,
        options: WatchOptions,
        away: Hold,
        wake: asyncio.Event,
        clock: Callable[[], float],
    ) -> None:
        self._place = place
        self._admission = admission
        self._marks = marks
        self._intake = intake
        self._options = options
        self._away = away
        self._wake = wake
        self._clock = clock
        self._log = structlog.get_logger().bind(producer=marks.producer, place=marks.place)
        self._deaf: str | None = _NOT_YET
        self._listings = 0
        self._list_at = math.inf
        self._hints: list[Hint] = []
        # In which listing each was last there. A name stays the text that it came as: if every
        # listing brought its own, memory would be full of holes of that size.
        self._present: dict[str, int] = {}
        self._listing = 0
        self._ignored: Counter[str] = Counter()
        self._left_out = LeftOutNote(marks.state, marks.producer, marks.place)
        self._recovered = 0
        self._asked: list[asyncio.Future[None]] = []
        self._answering: list[asyncio.Future[None]] = []
        self._ended = False

    @property
    def standing(self) -> Standing:
        pause = self._away.reason or self._admission.hold.reason
        state: State = "paused" if pause else "polling" if self._deaf else "watching"
        return Standing(
            state=state if pause or self._listings else "starting",
            reason=pause or self._deaf or "",
            seen=len(self._present),
            announced=self._recovered + self._admission.announced,
            ignored=dict(self._ignored),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until ``stop``; ends early only by an error that no waiting mends."""
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch(group))
                await stop.wait()
                # A listing is not waited for: it may be long, or its server frozen.
                watching.cancel()
                await self._admission.finish()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        finally:
            self._ended = True
            for future in (*self._asked, *self._answering):
                if not future.done():
                    future.set_exception(self._stopped())
            await self._place.close()

    async def drained(self) -> None:
        """Returns when everything that is in the place now has been announced: also what is still
        on its way in, but not what is refused as it is.

        Raises StageStopError if the producer stops before.
        """
        if self._ended:
            raise self._stopped()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        self._list_soon()
        await future

    def _stopped(self) -> StageStopError:
        return StageStopError(f"the {self._marks.producer} producer was stopped")

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        while not await self._load_marks():
            await self._rest()
        following = group.create_task(self._follow_notices())
        try:
            while True:
                await self._pass(group)
                await self._rest()
        finally:
            following.cancel()

    async def _load_marks(self) -> bool:
        self._list_at = self._away.waits_until() or 0.0
        if self._clock() < self._list_at:
            return False
        try:
            self._recovered = await self._marks.load(self._intake)
        except OutageError as error:
            self._away.failed(error, self._clock())
            self._list_at = self._away.waits_until() or 0.0
            return False
        self._away.succeeded()
        self._list_at = self._clock() + self._place.subscribes_in_s
        self._log.info("marks_loaded", known=len(self._marks), announced_again=self._recovered)
        return True

    async def _follow_notices(self) -> None:
        async for notice in self._place.notices():
            self._heed(notice)
            self._wake.set()
        raise RuntimeError("the notices of a place came to an end, and they have none")

    def _heed(self, notice: Notice[Hint]) -> None:
        if isinstance(notice, Put):
            self._hints += notice.hints
            return
        if isinstance(notice, Subscribed):
            self._log.info("watching_started")
            self._deaf = None
            self._list_unless_it_subscribed()
            return
        if self._deaf in (None, _NOT_YET):
            self._list_unless_it_subscribed()
        if notice.refused and self._deaf != notice.reason:
            every_s = self._options.poll_s
            self._log.warning("polling_started", reason=notice.reason, every_s=every_s)
        self._deaf = notice.reason

    def _list_unless_it_subscribed(self) -> None:
        if self._place.subscribes_in_s:
            self._list_soon()
        else:
            self._list_at = min(self._list_at, self._clock() + self._options.poll_s)

    async def _pass(self, group: asyncio.TaskGroup) -> None:
        if self._clock() >= self._list_at:
            await self._reconcile(group)
        await self._follow_hints()
        await self._admission.work(group)
        if self._answering and not (self._admission.busy or self._hints):
            for future in self._answering:
                if not future.done():
                    future.set_result(None)
            self._answering.clear()

    async def _reconcile(self, group: asyncio.TaskGroup) -> None:
        # Only who asked before the listing began can rely on it; who asks meanwhile gets another.
        asked = len(self._asked)
        self._list_at, began = math.inf, self._clock()
        self._listing += 1
        ignored: Counter[str] = Counter()
        ours = False
        try:
            async for page in self._place.list(self._present.keys()):
                ours = ours or bool(page.ours)
                self._present.update(dict.fromkeys(page.ours, self._listing))
                ignored += page.ignored
                self._admission.offer(page.ours)
                await self._admission.work(group)
            await self._left_out.keep(ours, ignored)
        except OutageError as error:
            self._away.failed(error, self._clock())
            self._list_at = min(self._list_at, self._away.waits_until() or math.inf)
            return
        self._away.succeeded()
        for name in [name for name, seen in self._present.items() if seen != self._listing]:
            del self._present[name]
        self._ignored = ignored
        self._admission.keep(self._present.keys())
        self._answering += self._asked[:asked]
        del self._asked[:asked]
        self._listings += 1
        self._list_at = min(self._list_at, self._next_listing(began, self._clock()))

    def _next_listing(self, began: float, now: float) -> float:
        options = self._options
        if not self._deaf:
            return now + options.rescan_s
        return now + max(options.poll_s, options.poll_rest * (now - began))

    async def _follow_hints(self) -> None:
        hints, self._hints = self._hints, []
        if not hints:
            return
        try:
            page = await self._place.look(hints)
        except OutageError:
            self._list_soon()
            return
        for name in page.gone:
            self._present.pop(name, None)
            self._admission.forget(name)
        self._present.update(dict.fromkeys(page.ours, self._listing))
        self._admission.offer(page.ours)

    def _list_soon(self) -> None:
        self._list_at = 0.0
        self._wake.set()

    async def _rest(self) -> None:
        """Until a hint, a batch's end, or the next time that something is planned for."""
        now, held = self._clock(), self._admission.hold.waits_until()
        # Once the hold is over its try is under way, and wakes us when it ends.
        times = (self._list_at, self._admission.next_look(), held if held and held > now else None)
        until = min(time for time in times if time is not None)
        with contextlib.suppress(TimeoutError):
            wait_s = None if until == math.inf else max(until - now, _GATHER_S)
            # Not wait_for, which may swallow the cancellation that ends us (until Python 3.12).
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        await asyncio.sleep(_GATHER_S)
        self._wake.clear()

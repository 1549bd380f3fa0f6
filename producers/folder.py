"""The folder producer: every picture and video that arrives in a folder is announced once.

Events of the file system are hints, the listing is the truth: it subscribes first, then lists,
then lists again on a timer, and compares what it sees with the marks of what was announced.

The same bytes under the same name say nothing new, so a touched file, or one that went and came
back, is not announced again; new bytes under the name are, and so are the same bytes under
another name. Nothing in the folder is ever moved, changed or deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog

from core.errors import OutageError, SettingsError, StageStopError
from core.intake.intake import Intake
from core.intake.originals import FileMark
from core.state.port import StateStore
from producers.admission import Admission, Prober
from producers.listing import Listing, list_folder, look, marks_of
from producers.marks import SeenMarks
from producers.notices import FolderNotices
from producers.options import FolderOptions
from producers.overlap import refuse_overlap
from producers.settle import Settling

NAME = "folder"

_GATHER_S = 0.02
"""Seconds in which hints gather before they are followed: a slow writer's thousand hints a second
shall cost fifty looks, not a thousand."""


State = Literal["starting", "watching", "polling", "paused"]


@dataclass(frozen=True, slots=True)
class FolderStatus:
    """How it stands, for the status line and health.

    Attributes:
        state: ``paused`` while the folder or a store is away; intake resumes by itself.
        reason: why it polls or pauses, else empty.
        seen: pictures and videos in the folder.
        settling: of these, on their way in.
        undecodable: of these, still but not decodable, to be announced when patience ends.
        unreadable: of these, not ours to read; they wait for their permissions.
        announced: since the start.
        ignored: files of other kinds in the folder, by extension.
    """

    state: State
    reason: str
    seen: int
    settling: int
    undecodable: int
    unreadable: int
    announced: int
    ignored: dict[str, int]

    @property
    def refused(self) -> dict[str, int]:
        """How many are not taken in as they are, by reason."""
        return {"undecodable": self.undecodable, "unreadable": self.unreadable}


class FolderProducer:
    """Announces what arrives in one folder and below.

    Args:
        folder: to watch; resolved, so that a link to it names the same place.
        data_folder: the engine's own, or None if it has none on this host.
        clock: seconds, monotonic.

    Raises:
        SettingsError: the folder is missing, or it and the data folder lie in one another.
    """

    def __init__(
        self,
        folder: Path,
        *,
        intake: Intake,
        state: StateStore,
        prober: Prober,
        data_folder: Path | None,
        options: FolderOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not folder.is_dir():
            raise SettingsError(f"the folder to watch is missing: {folder}")
        if data_folder is not None:
            refuse_overlap(folder, data_folder)
        self._options = options or FolderOptions()
        self._root = str(folder.resolve())
        place = folder.resolve().as_uri()
        self._intake = intake
        self._clock = clock
        self._log = structlog.get_logger().bind(producer=NAME, place=place)
        self._marks = SeenMarks(state, NAME, place)
        self._settling = Settling(self._options.settle_s, self._options.undecodable_after_s)
        self._notices = FolderNotices(self._root, self._hint)
        self._wake = asyncio.Event()
        self._admission = Admission(
            NAME,
            place,
            intake=intake,
            prober=prober,
            marks=self._marks,
            settling=self._settling,
            options=self._options,
            clock=clock,
            on_progress=self._wake.set,
        )
        self._identity: tuple[int, int] | None = None
        self._away: str | None = None
        self._polls: str | None = None
        self._listings = 0
        self._list_at = 0.0
        self._hints: set[str] = set()
        self._present: set[str] = set()
        self._unhinted: set[str] = set()
        self._ignored: Counter[str] = Counter()
        self._recovered = 0
        self._asked: list[asyncio.Future[None]] = []
        self._answering: list[asyncio.Future[None]] = []

    @property
    def status(self) -> FolderStatus:
        pause = self._away or self._admission.hold.reason
        state: State = "paused" if pause else "polling" if self._polls else "watching"
        unreadable = self._settling.refused("unreadable")
        return FolderStatus(
            state=state if pause or self._listings else "starting",
            reason=pause or self._polls or "",
            seen=len(self._present),
            settling=len(self._settling) - unreadable,
            undecodable=self._settling.refused("undecodable"),
            unreadable=unreadable,
            announced=self._recovered + self._admission.announced,
            ignored=dict(self._ignored),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until ``stop``; ends early only by an error that no waiting mends."""
        waker = asyncio.create_task(self._wake_when(stop))
        try:
            while not stop.is_set() and not await self._load_marks():
                await self._rest()
            while not stop.is_set():
                await self._pass()
                await self._rest()
        finally:
            waker.cancel()
            await self._notices.stop()
            await self._admission.finish()
            for future in (*self._asked, *self._answering):
                if not future.done():
                    future.set_exception(StageStopError("the folder producer was stopped"))

    async def drained(self) -> None:
        """Returns when everything that is in the folder now has been announced: also what still
        grows, and what does not decode once patience with it ends; not what may not be read.

        Raises StageStopError if the producer stops before.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        self._list_at = 0.0
        self._wake.set()
        await future

    async def _load_marks(self) -> bool:
        hold, now = self._admission.hold, self._clock()
        if now < (hold.waits_until() or now):
            return False
        try:
            self._recovered = await self._marks.load(self._intake)
        except OutageError as error:
            hold.failed(error, now)
            self._list_at = hold.waits_until() or now
            return False
        hold.succeeded()
        self._list_at = 0.0
        self._log.info("marks_loaded", known=len(self._marks), announced_again=self._recovered)
        return True

    async def _pass(self) -> None:
        if self._asked or self._clock() >= self._list_at:
            await self._reconcile()
        await self._follow_hints()
        await self._look_again()
        self._admission.work()
        if self._answering and not (self._admission.busy or self._hints or self.status.settling):
            for future in self._answering:
                if not future.done():
                    future.set_result(None)
            self._answering.clear()

    async def _reconcile(self) -> None:
        # Only who asked before the listing began can rely on it.
        asked, self._asked = self._asked, []
        try:
            await self._subscribe()
            listing = await asyncio.to_thread(list_folder, self._root)
        except OSError as error:
            if self._away is None:
                self._log.warning("folder_lost", reason=error.strerror, consequence="looks again")
            # Another file system may be mounted there next; events of the old one are void.
            self._away, self._identity = f"the folder is away: {error.strerror}", None
            self._list_at = self._clock() + self._options.poll_s
            self._asked = asked + self._asked
            return
        for folder, reason in listing.unreadable.items():
            self._log.warning("sub_folder_not_listed", path=folder, reason=reason)
        self._see(listing, hinted=False)
        self._present, self._ignored = set(listing.files), listing.ignored
        self._unhinted &= self._present
        self._answering += asked
        self._listings += 1
        every_s = self._options.poll_s if self._polls else self._options.rescan_s
        self._list_at = self._clock() + every_s

    async def _subscribe(self) -> None:
        """Subscribes to file events, anew if there is another folder in the place of the first."""
        status = await asyncio.to_thread(os.stat, self._root)
        if self._identity == (status.st_dev, status.st_ino):
            return
        await self._notices.stop()
        reason = await self._notices.start(self._options.self_test_s)
        self._identity, self._away, self._polls = (status.st_dev, status.st_ino), None, None
        self._listings = 0
        if reason:
            self._poll(reason)
        else:
            self._log.info("watching_started")

    def _poll(self, reason: str) -> None:
        self._polls = reason
        self._list_at = min(self._list_at, self._clock() + self._options.poll_s)
        self._log.warning("polling_started", reason=reason, every_s=self._options.poll_s)

    async def _follow_hints(self) -> None:
        hints, self._hints = self._hints, set()
        if not hints or self._away is not None:
            return
        try:
            listing = await asyncio.to_thread(look, self._root, hints)
        except OSError:
            self._list_at = 0.0  # the folder itself is gone: the listing says so
            return
        for path in hints.difference(listing.files):
            self._forget(path)
        self._see(listing, hinted=True)

    def _see(self, listing: Listing, hinted: bool) -> None:
        now = self._clock()
        for path, mark in listing.files.items():
            if hinted:
                self._unhinted.discard(path)
            elif self._listings and path not in self._present:
                self._unhinted.add(path)
            self._present.add(path)
            uri = Path(path).as_uri()
            if path in self._settling or not self._marks.knows(uri, mark.text()):
                self._observe(path, mark, now)

    async def _look_again(self) -> None:
        due = self._settling.due(self._clock())
        if not due:
            return
        marks = await asyncio.to_thread(lambda: list(marks_of(self._root, due)))
        now = self._clock()
        for path, mark in marks:
            if mark is None:
                self._forget(path)
            else:
                self._observe(path, mark, now)

    def _observe(self, path: str, mark: FileMark, now: float) -> None:
        if not self._settling.observe(path, mark, now):
            return
        self._admission.add(path, mark)
        if path in self._unhinted and self._polls is None:
            # It had the whole settle time to be named by an event and was not.
            self._poll("a file came without a file event")

    def _forget(self, path: str) -> None:
        self._settling.forget(path)
        self._present.discard(path)

    def _hint(self, paths: set[str]) -> None:
        self._hints |= paths
        self._wake.set()

    async def _rest(self) -> None:
        """Until a hint, a batch's end, or the next time that something is planned for."""
        now, held = self._clock(), self._admission.hold.waits_until()
        times = [self._list_at, self._settling.next_look()]
        # Once the hold is over its try is under way, and wakes us when it ends.
        times.append(held if held is not None and held > now else None)
        until = min(time for time in times if time is not None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), max(until - now, _GATHER_S))
        await asyncio.sleep(_GATHER_S)
        self._wake.clear()

    async def _wake_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

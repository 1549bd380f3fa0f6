"""The bucket producer: every picture and video that is put into an S3 bucket is announced once.

Notifications are hints, the listing is the truth: it subscribes first, then lists, lists again
after each new subscription and on a timer, and compares what it sees with the marks of what was
announced. A server that sends no notifications is polled.

The same bytes under the same key say nothing new; new bytes under the key do, and so do the same
bytes under another key. Nothing in the bucket is ever moved, changed or deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from minio.error import S3Error

from core.errors import OutageError, SettingsError, StageStopError
from core.intake.intake import Intake
from core.s3 import S3Connection
from core.state.port import StateStore
from producers.bucket_admission import BucketAdmission, WatchedBucket
from producers.bucket_notices import BucketNotices, Notice, Put, ServerNotices, Subscribed
from producers.folder import State
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.objects import Version, list_bucket, sort_out
from producers.options import BucketOptions

NAME = "bucket"

_GATHER_S = 0.02
"""Seconds in which hints gather, so that objects that come together share a batch."""

_SUBSCRIBE_FIRST_S = 1.0
"""How long the first listing waits for the subscription. If that takes longer, another follows."""

_NOT_YET = "not subscribed yet"

_REST_FACTOR = 4
"""A poll rests for this many times as long as it took, so that listing is no server's main work."""


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """How it stands, for the status line and health.

    Attributes:
        state: ``paused`` while the server or a store is away; intake resumes by itself.
        reason: why it polls or pauses, else empty.
        seen: pictures and videos in the bucket.
        arriving: of these, on their way in.
        too_large: of these, refused for their size.
        unreadable: of these, those that the server does not give us; tried again now and then.
        announced: since the start.
        ignored: objects of other kinds in the bucket, by extension.
    """

    state: State
    reason: str
    seen: int
    arriving: int
    too_large: int
    unreadable: int
    announced: int
    ignored: dict[str, int]

    @property
    def refused(self) -> dict[str, int]:
        """How many are not taken in as they are, by reason."""
        return {"too_large": self.too_large, "unreadable": self.unreadable}


class BucketProducer:
    """Announces what is put into one bucket.

    Args:
        store_bucket: the engine's own bucket on this server; None if its blobs are elsewhere.
        scratch: a folder for objects while they are taken in; what is left there by a crash may
            be removed.
        notices: where hints come from; None listens to the server itself.
        clock: seconds, monotonic.

    Raises:
        SettingsError: the bucket is the engine's own.
    """

    def __init__(
        self,
        connection: S3Connection,
        bucket: str,
        *,
        intake: Intake,
        state: StateStore,
        scratch: Path,
        store_bucket: str | None,
        notices: BucketNotices | None = None,
        options: BucketOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if bucket == store_bucket:
            raise SettingsError(
                f"the bucket to watch, {bucket}, is the engine's own, and it would take in what it"
                " stores there: watch another, or set S3_BUCKET to another"
            )
        self._options = options = options or BucketOptions()
        self._bucket = WatchedBucket(NAME, bucket, connection)
        self._intake = intake
        self._clock = clock
        place = self._bucket.place
        self._log = structlog.get_logger().bind(producer=NAME, place=place)
        self._marks = SeenMarks(state, NAME, place)
        self._notices = notices or ServerNotices(
            connection, bucket, retry=options.retry, again_s=options.rescan_s
        )
        self._wake = asyncio.Event()
        self._admission = BucketAdmission(
            self._bucket,
            intake=intake,
            marks=self._marks,
            scratch=scratch,
            options=options,
            clock=clock,
            on_progress=self._wake.set,
        )
        self._away = Hold(options.retry, producer=NAME, place=place)
        self._met = False
        self._deaf: str | None = _NOT_YET
        self._listings = 0
        self._list_at = math.inf
        self._hints: list[Version] = []
        self._present: set[str] = set()
        self._ignored: Counter[str] = Counter()
        self._recovered = 0
        self._asked: list[asyncio.Future[None]] = []
        self._answering: list[asyncio.Future[None]] = []

    @property
    def status(self) -> BucketStatus:
        pause = self._away.reason or self._admission.hold.reason
        state: State = "paused" if pause else "polling" if self._deaf else "watching"
        return BucketStatus(
            state=state if pause or self._listings else "starting",
            reason=pause or self._deaf or "",
            seen=len(self._present),
            arriving=len(self._admission),
            too_large=self._admission.refusals.count("too_large"),
            unreadable=self._admission.refusals.count("unreadable"),
            announced=self._recovered + self._admission.announced,
            ignored=dict(self._ignored),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Watches until ``stop``; ends early only by an error that no waiting mends.

        Raises:
            SettingsError: there is no such bucket when the server is first met.
        """
        watching = asyncio.create_task(self._watch())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            # A listing is not waited for: it may be long, or its server frozen.
            watching.cancel()
            stopping.cancel()
            await asyncio.gather(watching, stopping, return_exceptions=True)
            await self._admission.finish()
            for future in (*self._asked, *self._answering):
                if not future.done():
                    future.set_exception(StageStopError("the bucket producer was stopped"))

    async def drained(self) -> None:
        """Returns when everything that is in the bucket now has been announced, but for what is
        too large or unreadable.

        Raises StageStopError if the producer stops before.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        self._list_soon()
        await future

    async def _watch(self) -> None:
        while not await self._load_marks():
            await self._rest()
        following = asyncio.create_task(self._follow_notices())
        try:
            while not following.done():
                await self._pass()
                await self._rest()
            following.result()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _load_marks(self) -> bool:
        self._list_at = self._away.waits_until() or 0.0
        if self._clock() < self._list_at:
            return False
        try:
            self._recovered = await self._marks.load(self._intake)
        except OutageError as error:
            self._away.failed(error, self._clock())
            return False
        self._away.succeeded()
        self._list_at = self._clock() + _SUBSCRIBE_FIRST_S
        self._log.info("marks_loaded", known=len(self._marks), announced_again=self._recovered)
        return True

    async def _follow_notices(self) -> None:
        try:
            async for notice in self._notices.follow():
                self._heed(notice)
                self._wake.set()
        finally:
            self._wake.set()

    def _heed(self, notice: Notice) -> None:
        if isinstance(notice, Put):
            self._hints += notice.versions
            return
        if isinstance(notice, Subscribed):
            self._log.info("watching_started")
            self._deaf = None
            self._list_soon()
            return
        if self._deaf in (None, _NOT_YET):
            self._list_soon()
        if notice.refused and self._deaf != notice.reason:
            every_s = self._options.poll_s
            self._log.warning("polling_started", reason=notice.reason, every_s=every_s)
        self._deaf = notice.reason

    async def _pass(self) -> None:
        if self._clock() >= self._list_at:
            await self._reconcile()
        self._follow_hints()
        self._admission.work()
        if self._answering and not self._admission.busy:
            for future in self._answering:
                if not future.done():
                    future.set_result(None)
            self._answering.clear()

    async def _reconcile(self) -> None:
        # Only who asked before the listing began can rely on it; who asks meanwhile gets another.
        asked = len(self._asked)
        self._list_at, began = math.inf, self._clock()
        present: set[str] = set()
        ignored: Counter[str] = Counter()
        try:
            await self._meet()
            async for page in list_bucket(self._bucket.connection, self._bucket.name):
                present.update(version.key for version in page.ours)
                ignored += page.ignored
                self._see(page.ours)
                self._admission.work()
        except (OutageError, S3Error) as error:
            self._pause(error)
            return
        self._away.succeeded()
        self._present, self._ignored = present, ignored
        self._admission.refusals.keep(present)
        self._answering += self._asked[:asked]
        del self._asked[:asked]
        self._listings += 1
        now = self._clock()
        polls_s = max(self._options.poll_s, _REST_FACTOR * (now - began))
        self._list_at = min(
            self._list_at, now + (polls_s if self._deaf else self._options.rescan_s)
        )

    async def _meet(self) -> None:
        name, connection = self._bucket.name, self._bucket.connection
        if not self._met and not await connection.call(lambda client: client.bucket_exists(name)):
            raise SettingsError(
                f"the bucket to watch, {name}, is not there: make it on {connection.endpoint}, or"
                " correct its name"
            )
        self._met = True

    def _pause(self, error: OutageError | S3Error) -> None:
        if isinstance(error, S3Error):
            error = OutageError(
                f"the bucket cannot be listed ({error.code}: {error.message}): check that the"
                " server is well"
            )
        self._away.failed(error, self._clock())
        self._list_at = min(self._list_at, self._away.waits_until() or math.inf)

    def _follow_hints(self) -> None:
        hints, self._hints = sort_out(self._hints), []
        self._present.update(version.key for version in hints.ours)
        self._see(hints.ours)

    def _see(self, versions: list[Version]) -> None:
        for version in versions:
            self._admission.offer(version)

    def _list_soon(self) -> None:
        self._list_at = 0.0
        self._wake.set()

    async def _rest(self) -> None:
        """Until a hint, a batch's end, or the next time that something is planned for."""
        now, held = self._clock(), self._admission.hold.waits_until()
        # Once the hold is over its try is under way, and wakes us when it ends.
        until = min(self._list_at, held if held is not None and held > now else math.inf)
        with contextlib.suppress(TimeoutError):
            wait_s = None if until == math.inf else max(until - now, _GATHER_S)
            # Not wait_for, which may swallow the cancellation that ends us (until Python 3.12).
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        await asyncio.sleep(_GATHER_S)
        self._wake.clear()

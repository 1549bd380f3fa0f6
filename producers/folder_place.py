"""A folder as a place to watch: its file events, whether they can be relied on, its listing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet

import structlog

from core.errors import OutageError
from core.intake.originals import FileMark
from producers.folder_notices import FolderNotices
from producers.listing import list_pages, look
from producers.marks import SeenMarks
from producers.place import Notice, Page, Put, Subscribed, Unsubscribed


class FolderPlace:
    """One folder and all below.

    Args:
        root: the folder, resolved.
        self_test_s: how long the test of a new subscription waits for its file event, in seconds.
        marks: of this place, for the log.
    """

    subscribes_in_s = 0.0

    def __init__(self, root: str, self_test_s: float, marks: SeenMarks) -> None:
        self._root = root
        self._self_test_s = self_test_s
        self._log = structlog.get_logger().bind(producer=marks.producer, place=marks.place)
        self._events = FolderNotices(root, lambda paths: self._queue.put_nowait(Put(list(paths))))
        self._queue: asyncio.Queue[Notice[str]] = asyncio.Queue()
        self._identity: tuple[int, int] | None = None
        self._trusted = False
        self._unhinted: set[str] = set()

    async def notices(self) -> AsyncIterator[Notice[str]]:
        while True:
            yield await self._queue.get()

    async def list(self, present: AbstractSet[str], /) -> AsyncIterator[Page[FileMark]]:
        there: set[str] = set()
        try:
            anew = await self._subscribe()
            listings = list_pages(self._root)
            while (listing := await asyncio.to_thread(next, listings, None)) is not None:
                for folder, reason in listing.unreadable.items():
                    self._log.warning("sub_folder_not_listed", path=folder, reason=reason)
                if not anew:
                    self._unhinted |= listing.files.keys() - present
                there |= self._unhinted & listing.files.keys()
                yield Page(listing.files, listing.ignored)
        except OSError as error:
            # Another file system may be mounted there next; events of the old one are void.
            self._identity = None
            raise OutageError(f"the folder is away: {error.strerror}") from error
        self._unhinted = there

    async def look(self, hints: Sequence[str], /) -> Page[FileMark]:
        paths = set(hints)
        try:
            listing = await asyncio.to_thread(look, self._root, paths)
        except OSError as error:
            raise OutageError(f"the folder is away: {error.strerror}") from error
        self._unhinted -= listing.files.keys()
        return Page(listing.files, gone=paths - listing.files.keys())

    def taken(self, path: str) -> None:
        """The file came to rest: it had the whole settle time to be named by an event."""
        if self._trusted and path in self._unhinted:
            self._distrust("a file came without a file event")

    async def close(self) -> None:
        await self._events.stop()

    async def _subscribe(self) -> bool:
        """Subscribes to file events if the folder is another one than last time; returns whether it
        did."""
        status = await asyncio.to_thread(os.stat, self._root)
        identity = (status.st_dev, status.st_ino)
        if self._identity == identity:
            return False
        await self._events.stop()
        reason = await self._events.start(self._self_test_s)
        self._identity = identity
        if reason:
            self._distrust(reason)
        else:
            self._trusted = True
            self._queue.put_nowait(Subscribed())
        return True

    def _distrust(self, reason: str) -> None:
        self._trusted = False
        self._queue.put_nowait(Unsubscribed(reason, refused=True))

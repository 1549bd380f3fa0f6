"""Hints from the operating system that something in a folder changed, and whether they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

_log = structlog.get_logger()

_PROBE = ".tagger-event-probe"
# Reading a file is an event, too: without a filter our own hashing would wake us.
_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
]
_MOUNTS = Path("/proc/self/mounts")
# These report what is changed from this host only, so the self-test would pass and mean nothing.
_REMOTE = frozenset(
    (
        *("9p", "afs", "ceph", "cifs", "davfs", "fakeowner", "fuse.grpcfuse", "fuse.osxfs"),
        *("fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre", "nfs", "nfs4"),
        *("smb3", "smbfs", "vboxsf", "virtiofs"),
    )
)


class FolderNotices:
    """Watches a folder tree and hands on the paths that events name.

    Args:
        on_paths: called on the event loop with the paths of one burst.
    """

    def __init__(self, folder: str, on_paths: Callable[[set[str]], None]) -> None:
        self._folder = folder
        self._on_paths = on_paths
        self._observer: object | None = None
        self._probe_seen = asyncio.Event()

    async def start(self, test_s: float) -> str | None:
        """Subscribes and touches a hidden file to see whether events come within ``test_s``
        seconds; the reason why they cannot be relied on, or None."""
        handler = _Handler(asyncio.get_running_loop(), self._deliver)
        observer = Observer()
        try:
            observer.schedule(handler, self._folder, recursive=True, event_filter=_EVENTS)
            # Registering a large tree takes a while, and may be cancelled meanwhile.
            self._observer = observer
            await asyncio.to_thread(observer.start)
        except OSError as error:
            # Mostly the limit of inotify watches (fs.inotify.max_user_watches).
            self._observer = None
            return f"file events cannot be subscribed to: {error.strerror or error}"
        return await asyncio.to_thread(_remote, self._folder) or await self._self_test(test_s)

    async def stop(self) -> None:
        """No path is handed on after this."""
        observer, self._observer = self._observer, None
        if isinstance(observer, threading.Thread):
            await asyncio.to_thread(_stop, observer)

    def _deliver(self, paths: set[str]) -> None:
        probe = os.path.join(self._folder, _PROBE)  # noqa: PTH118  # paths here are text
        if probe in paths:
            self._probe_seen.set()
            paths.discard(probe)
        if paths and self._observer is not None:
            self._on_paths(paths)

    async def _self_test(self, test_s: float) -> str | None:
        self._probe_seen.clear()
        probe = Path(self._folder, _PROBE)
        try:
            await asyncio.to_thread(probe.touch)
            await asyncio.wait_for(self._probe_seen.wait(), test_s)
        except TimeoutError:
            return "no file events come from this file system"
        except OSError as error:
            return f"file events cannot be tested: {error.strerror or error}"
        finally:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(probe.unlink)
        return None


class _Handler(FileSystemEventHandler):
    """Gathers the paths of a burst, so that the loop is woken once for it."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, deliver: Callable[[set[str]], None]
    ) -> None:
        self._loop = loop
        self._deliver = deliver
        self._lock = threading.Lock()
        self._paths: set[str] = set()

    def dispatch(self, event: FileSystemEvent) -> None:
        with self._lock:
            wake = not self._paths
            self._paths.update(os.fsdecode(p) for p in (event.src_path, event.dest_path) if p)
        if wake:
            # The loop may be closed already when the last events of a stopped observer come.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        with self._lock:
            paths, self._paths = self._paths, set()
        self._deliver(paths)


def _remote(folder: str) -> str | None:
    try:
        lines = _MOUNTS.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None  # no Linux; the self-test decides
    mounts = [line.split(" ") for line in lines]
    at = [(m[1].replace("\\040", " "), m[2]) for m in mounts if len(m) > 2]
    over = [(mount, kind) for mount, kind in at if Path(folder).is_relative_to(mount)]
    # The last one that was mounted on the longest path is the one on top.
    kind = max(enumerate(over), key=lambda m: (len(m[1][0]), m[0]), default=(0, ("", "")))[1][1]
    return f"{kind} tells nothing of changes made elsewhere" if kind in _REMOTE else None


def _stop(observer: threading.Thread) -> None:
    getattr(observer, "stop")()  # noqa: B009  # watchdog's thread, typed as what is joined
    if observer.is_alive():  # else it is only being started, and will end at once
        observer.join(timeout=5)

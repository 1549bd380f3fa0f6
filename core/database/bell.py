"""Wakes whoever waits for something new, in this process and in others, without busy waiting.

Inside the process an alarm per waiter is set. Each listening process also owns a named pipe in the
``wake`` folder, into which the others write a byte. As a safety net (a file system without named
pipes, a lost byte) a counter of changes is looked at every half second.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import selectors
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from core.files.private import make_private_folder

_LOOK_AFTER_S = 0.5
_SUFFIX = ".fifo"


class Alarm:
    """Set from the start and whenever one of its channels rings; its user clears it, then looks."""

    def __init__(self, channels: Iterable[str]) -> None:
        self.loop = asyncio.get_running_loop()
        self.channels = frozenset(channels)
        self._event = asyncio.Event()
        self._event.set()

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def is_set(self) -> bool:
        return self._event.is_set()

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether it was set within ``timeout`` seconds; None waits for ever."""
        if self._event.is_set():
            return True
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Bell:
    """``changes`` returns a number that differs after anybody changed anything."""

    def __init__(self, folder: Path, changes: Callable[[], int]) -> None:
        self._folder = folder
        self._changes = changes
        self._alarms: frozenset[Alarm] = frozenset()
        self._gate = threading.Lock()
        self._listener: _Listener | None = None
        self._closed = False

    def alarm(self, channels: Iterable[str]) -> Alarm:
        """A new alarm of the running loop; ``silence`` it in the end."""
        alarm = Alarm(channels)
        with self._gate:
            self._alarms |= {alarm}
            if self._listener is None and not self._closed:
                self._listener = _Listener(self._folder, self._changes, self.wake)
        return alarm

    def silence(self, alarm: Alarm) -> None:
        with self._gate:
            self._alarms -= {alarm}

    def ring(self, channels: set[str]) -> list[Alarm]:
        """Rings other processes; returns the alarms of this one that the caller has to set.

        An alarm that is still set is left out: its user looks after clearing it, and will see.
        """
        if not channels:
            return []
        self._ring_others()
        return [a for a in self._alarms if not a.is_set() and not channels.isdisjoint(a.channels)]

    def close(self) -> None:
        with self._gate:
            self._closed = True
            listener, self._listener = self._listener, None
            self._alarms = frozenset()
        if listener is not None:
            listener.close()

    def wake(self) -> None:
        """Sets every alarm of this process; from any thread."""
        for alarm in self._alarms:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                alarm.loop.call_soon_threadsafe(alarm.set)

    def _ring_others(self) -> None:
        own = self._listener.pipe if self._listener is not None else None
        try:
            pipes = [p for p in self._folder.iterdir() if p.suffix == _SUFFIX and p != own]
        except OSError:
            return
        for pipe in pipes:
            try:
                descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno == errno.ENXIO:  # nobody reads: its process was killed
                    pipe.unlink(missing_ok=True)
                continue
            with contextlib.suppress(OSError):  # full: it has enough to wake up
                os.write(descriptor, b"!")
            os.close(descriptor)


class _Listener:
    """The thread that reads this process's pipe and looks at the counter."""

    def __init__(self, folder: Path, changes: Callable[[], int], wake: Callable[[], None]) -> None:
        self.pipe: Path | None = None
        self._changes = changes
        self._wake = wake
        self._stopped, self._stop = os.pipe()
        self._descriptors = [self._stopped, self._stop]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._stopped, selectors.EVENT_READ)
        with contextlib.suppress(OSError):  # no named pipes here: the safety net is left
            self.pipe = self._open_pipe(folder)
        self._thread = threading.Thread(target=self._run, name="log-bell", daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._stop, b"!")
        self._thread.join()
        self._selector.close()
        if self.pipe is not None:
            self.pipe.unlink(missing_ok=True)
        for descriptor in self._descriptors:
            os.close(descriptor)

    def _open_pipe(self, folder: Path) -> Path:
        make_private_folder(folder)
        name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        # Renamed when it is open: a pipe without a reader looks like one of a dead process.
        unready, ready = folder / f"{name}.new", folder / f"{name}{_SUFFIX}"
        os.mkfifo(unready, 0o600)
        reader = os.open(unready, os.O_RDONLY | os.O_NONBLOCK)
        # A writer of our own keeps the pipe from reporting an end whenever the last other leaves.
        self._descriptors += [reader, os.open(unready, os.O_WRONLY | os.O_NONBLOCK)]
        unready.rename(ready)
        self._selector.register(reader, selectors.EVENT_READ)
        return ready

    def _run(self) -> None:
        seen = self._changes()
        while True:
            ready = [key.fd for key, _ in self._selector.select(_LOOK_AFTER_S)]
            if self._stopped in ready:
                return
            for descriptor in ready:
                os.read(descriptor, 4096)
            changed = self._changes()
            if ready or changed != seen:
                seen = changed
                self._wake()

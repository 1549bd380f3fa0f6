"""The engine's process, seen from the store: started when needed, and again should it end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import structlog

from core.errors import BusyError, OutageError
from core.files.durable import make_folder
from core.files.private import private_file
from core.vectors.edge.wire import LENGTH, Request, pack, unpack_reply

_log = structlog.get_logger(__name__)

_PROGRAM = Path(__file__).with_name("child.py")
_CLOSE_LIMIT_S = 5.0
_HANDOVER_LIMIT_S = 5.0


class EngineProcess:
    """Holds the folder, and runs the one process that works in it.

    Requests of concurrent callers reach the engine together; changes among them share a sync.
    A request that was under way when the process ended raises OutageError: it may have happened.
    """

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._lock: int | None = lock
        self._running: _Running | None = None
        self._starting = asyncio.Lock()

    @classmethod
    async def start(cls, folder: Path) -> EngineProcess:
        """Raises BusyError while another process holds the folder."""
        try:
            folder = await asyncio.to_thread(_made, folder)
            process = cls(folder, await _hold(folder / "lock"))
        except OSError as error:
            raise OutageError(f"the vector folder {folder} cannot be used: {error}") from error
        try:
            await process._run()
        except BaseException:
            await process.close()
            raise
        return process

    async def ask(self, call: str, *arguments: object) -> Any:
        """What that method of Engine returns or raises."""
        return await (await self._run()).ask(call, arguments)

    async def close(self) -> None:
        """Lets the engine flush; one that stays busy is killed, which loses nothing. Closing a
        second time does nothing."""
        running, self._running = self._running, None
        if running is not None:
            await running.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _run(self) -> _Running:
        async with self._starting:
            if self._lock is None:
                raise RuntimeError(f"the vector store {self._folder} was closed")
            if self._running is None or not self._running.alive:
                self._running = await _Running.start(self._folder, self._lock)
            return self._running


class _Running:
    """One life of the engine's process."""

    def __init__(self, folder: Path, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._folder = folder
        self._process = process
        self._requests = process.stdin
        self._replies = process.stdout
        self._numbers = itertools.count(1)
        ready = asyncio.get_running_loop().create_future()
        self._asked: dict[int, asyncio.Future[Any]] = {0: ready}
        self._ready = ready
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, folder: Path, lock: int) -> _Running:
        arguments = json.dumps([str(folder), _search_path(), os.getpid()])
        try:
            # The child holds the lock too: the folder is free once nobody works in it. A session
            # of its own keeps the terminal's Ctrl-C away from it.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(_PROGRAM), arguments),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=(lock,),
                umask=0o077,
                start_new_session=True,
            )
        except OSError as error:
            raise OutageError(f"the vector engine cannot be started: {error}") from error
        running = cls(folder, process)
        try:
            await running._ready
        except BaseException:
            await running.close()
            raise
        _log.debug("vector_engine_started", folder=str(folder), pid=process.pid)
        return running

    @property
    def alive(self) -> bool:
        return not self._listener.done()

    async def ask(self, call: str, arguments: tuple[object, ...]) -> Any:
        number = next(self._numbers)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            # The listener notices the end of the process, and tells everyone who waits.
            with contextlib.suppress(ConnectionError):
                self._requests.write(pack(Request(number, call, arguments)))
                await self._requests.drain()
            return await answer
        finally:
            self._asked.pop(number, None)

    async def close(self) -> None:
        self._requests.close()
        try:
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._listener

    async def _listen(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._replies.readexactly(LENGTH.size)
                body = await self._replies.readexactly(LENGTH.unpack(head)[0])
                reply = unpack_reply(body)
                answer = self._asked.pop(reply.number, None)
                if answer is None or answer.done():
                    continue  # whoever asked was cancelled
                if reply.error is None:
                    answer.set_result(reply.value)
                else:
                    answer.set_exception(reply.error)
        how = _how_it_ended(await self._process.wait())
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(
                    OutageError(
                        f"the vector engine of {self._folder} {how}; the next call restarts it"
                    )
                )


def _search_path() -> list[str]:
    return [str(Path(entry).absolute()) for entry in sys.path]


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    if -code == signal.SIGBUS:  # what a full disk does to whoever writes through a mapped file
        return "died of SIGBUS (is the disk full?)"
    return f"died of {signal.Signals(-code).name}"


def _made(folder: Path) -> Path:
    folder = folder.absolute()
    make_folder(folder)
    return folder


async def _hold(file: Path) -> int:
    """A handle that holds the lock until it and its copies are closed, by a crash at the latest."""
    handle = private_file(str(file), os.O_RDWR | os.O_CREAT)
    try:
        deadline = asyncio.get_running_loop().time() + _HANDOVER_LIMIT_S
        while not _locked(handle):
            holder = os.pread(handle, 20, 0).decode()
            if _lives(holder) or asyncio.get_running_loop().time() > deadline:
                raise BusyError(
                    f"the vector folder {file.parent} is held by process {holder}: stop it, or "
                    "talk to the engine that it runs"
                )
            # Its holder was killed a moment ago, and the engine's process is about to follow.
            await asyncio.sleep(0.02)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    except BaseException:
        os.close(handle)
        raise
    return handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ValueError, ProcessLookupError):
        return False
    return True

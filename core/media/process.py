"""One child process of the pool, seen from the parent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import struct
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Self

import structlog

from core.errors import OutageError

_log = structlog.get_logger(__name__)

_LENGTH = struct.Struct(">I")
_PROGRAM = Path(__file__).with_name("child.py")
_START_LIMIT_S = 60.0
_LAST_WORDS_S = 2.0
_BUFFER_BYTES = 1 << 24  # above any answer, so that a dead child's pipe is always read to its end
_WORDS = 500
_ENVIRONMENT = {
    # Jobs run side by side, so each has one thread where libraries would start one a processor.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Memory given back is memory to be zeroed again, which costs half as much as decoding. So 64
    # MiB of pixels and 32 MiB of the rest are kept for the next job.
    "PILLOW_BLOCKS_MAX": "4",
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "MALLOC_TOP_PAD_": str(4 << 20),
    "OPENCV_LOG_LEVEL": "SILENT",
}


class ChildLostError(Exception):
    """The child ended without an answer; the message says how."""


class ChildProcess:
    """A running child. ``jobs`` counts what it was asked, so its owner may retire it."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.jobs = 0
        self._process = process
        self._requests = process.stdin
        self._replies = process.stdout
        self._said = ""
        self._listener = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(cls, memory_limit_bytes: int) -> Self:
        """A child that is ready for jobs; raises OutageError if none can be had."""
        try:
            # A session of its own keeps the terminal's Ctrl-C away from work in flight.
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", str(_PROGRAM), str(os.getpid())),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=_BUFFER_BYTES,
                env={**os.environ, **_ENVIRONMENT},
                start_new_session=True,
                umask=0o077,
            )
        except OSError as error:
            raise OutageError(f"no decoder process can be started: {error}") from error
        child = cls(process)
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                await child._ask(pickle.dumps((_search_path(), memory_limit_bytes)))
        except (ChildLostError, TimeoutError) as error:
            child.kill()
            await child.wait()
            why = str(error) or f"it was not ready within {_START_LIMIT_S:g} s"
            raise OutageError(f"a decoder process does not start: {why}{child._said}") from error
        except BaseException:
            child.kill()
            raise
        _log.debug("decoder_started", pid=process.pid)
        return child

    @property
    def alive(self) -> bool:
        return self._process.returncode is None and not self._replies.at_eof()

    async def ask(self, request: bytes) -> tuple[str, object]:
        """Send one pickled request and wait for its outcome and value; raises ChildLostError."""
        self.jobs += 1
        return await self._ask(request)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Until the process is gone and its pipes are closed."""
        await self._process.wait()
        self._requests.close()
        await self._listener

    async def _ask(self, request: bytes) -> tuple[str, object]:
        try:
            self._requests.write(_LENGTH.pack(len(request)) + request)
            await self._requests.drain()
            head = await self._replies.readexactly(_LENGTH.size)
            body = await self._replies.readexactly(_LENGTH.unpack(head)[0])
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ChildLostError(await self._how_it_ended()) from None
        outcome, value = pickle.loads(body)  # noqa: S301
        return outcome, value

    async def _how_it_ended(self) -> str:
        try:
            async with asyncio.timeout(_LAST_WORDS_S):  # its pipes close a moment before it is gone
                await self._process.wait()
        except TimeoutError:
            self.kill()
        code = await self._process.wait()
        if code >= 0:
            return f"the decoder ended with exit code {code}"
        if -code == signal.SIGKILL:
            return "the decoder was killed, most likely for want of memory"
        return f"the decoder crashed ({signal.Signals(-code).name})"

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """What libraries print belongs in the debug log, not on the engine's terminal."""
        while piece := await stderr.read(1 << 16):
            words = piece.decode(errors="replace").strip()[-_WORDS:]
            self._said = f": {words}"
            _log.debug("decoder_said", pid=self._process.pid, words=words)


def _search_path() -> list[str]:
    return [str(Path(entry).absolute()) for entry in sys.path]

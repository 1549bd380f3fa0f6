"""A child process, seen from its parent: started, asked, and brought to its end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, TypeVar

import structlog

from core.children import faults
from core.children.frames import (
    Answer,
    Bounds,
    Buffer,
    Message,
    NonsenseError,
    is_count,
    pack,
    unpack,
)
from core.children.launch import Program, how_it_ended, launch, processor_seconds
from core.errors import OutageError

T = TypeVar("T")

_log = structlog.get_logger(__name__)

_LAST_WORDS_S = 2.0
_CLOSE_LIMIT_S = 5.0
_WORDS = 500
_LOOKS = 10
"""How often a child's silence is looked at before it is too long."""
_IDLE = 50
"""A child that uses less than this part of a processor does not work."""
_PATIENCE = 10
"""How many times as long one is waited for that works."""


class ChildLostError(Exception):
    """The child ended without an answer, or answered nonsense; the message says how."""


class Child:
    """A running child. Several may ask at once; answers find their way by number."""

    def __init__(self, process: Process, program: Program) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._process = process
        self._name = program.name
        self._bounds = program.bounds
        self._requests = process.stdin
        self._numbers = itertools.count(1)
        self._ready = asyncio.get_running_loop().create_future()
        self._asked: dict[int, asyncio.Future[Answer]] = {0: self._ready}
        self._followed: dict[int, Callable[[Any], None]] = {}
        self._silence_limit_s = program.silence_limit_s
        # Or when somebody began to wait, whichever is later.
        self._heard_at = asyncio.get_running_loop().time()
        self._abandoned: set[int] = set()
        self._said = ""
        self._wrong: str | None = None
        self._over = False  # nothing comes any more, though it may not be gone yet
        self._end: str | None = None
        self._life = asyncio.create_task(self._live(process.stdout, process.stderr))

    @classmethod
    async def start(cls, program: Program, pass_fds: tuple[int, ...] = ()) -> Self:
        """A child that is ready. Raises OutageError if none can be had, and what its
        ``open_service`` raised if that is of our tree."""
        process = await launch(program, pass_fds)
        child = cls(process, program)
        try:
            await child._until_ready(program.start_limit_s)
        except BaseException:
            child.kill()
            await child.wait()
            raise
        _log.debug("child_started", child=program.name, pid=process.pid)
        return child

    @property
    def alive(self) -> bool:
        return not self._over and self._wrong is None and self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def processor_s(self) -> float | None:
        """Seconds of processors that it has used; None where nobody says."""
        return processor_seconds(self._process.pid) if self._process.returncode is None else None

    async def ask(
        self,
        call: str,
        arguments: Mapping[str, Any],
        buffers: Iterable[Buffer] = (),
        *,
        read: Callable[[Answer], T],
        on_progress: Callable[[Any], None] | None = None,
    ) -> T:
        """What ``read`` makes of the answer; raises what the call raised in the child.

        ``read`` raises ValueError, TypeError or LookupError for an answer of no sense. The child
        is then killed: nobody knows what it would answer next. A caller that is cancelled leaves
        its request to the child. ``on_progress`` takes what the call tells of its progress, and
        raises as ``read`` does.

        Raises:
            UnsendableError: JSON cannot hold the arguments, or they are too large.
            ChildLostError: there will be no answer; whether the call happened is not known.
        """
        if self._end is not None:
            raise self._lost()
        number = next(self._numbers)
        request = {"number": number, "call": call, "arguments": arguments}
        pieces = pack(request, buffers, self._bounds)
        loop = asyncio.get_running_loop()
        if not self._asked:
            self._heard_at = loop.time()
        reply = self._asked[number] = loop.create_future()
        if on_progress is not None:
            self._followed[number] = on_progress
        try:
            # The child's end is noticed where answers are read, and told to everyone who waits.
            with contextlib.suppress(ConnectionError):
                for piece in pieces:
                    self._requests.write(piece)
                await self._requests.drain()
            answer = await reply
        finally:
            self._followed.pop(number, None)
            if self._asked.pop(number, None) is not None:
                self._abandoned.add(number)
        try:
            return read(answer)
        except (ValueError, TypeError, LookupError) as error:
            self._condemn(f"{type(error).__name__}: {error}")
            raise ChildLostError(f"{self._name} {self._wrong}") from error

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Until the process is gone and its pipes are closed."""
        await self._process.wait()
        await asyncio.wait({self._life})
        if not self._life.cancelled():
            self._life.result()

    async def close(self) -> None:
        """Lets the child end by itself; one that stays busy for 5 s is killed."""
        self._requests.close()
        try:
            async with asyncio.timeout(_CLOSE_LIMIT_S):
                await self.wait()
        except BaseException as error:
            self.kill()
            await self.wait()
            if not isinstance(error, TimeoutError):
                raise

    async def _until_ready(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._ready
        except TimeoutError:
            why = f"it was not ready within {limit_s:g} s"
            raise OutageError(f"{self._name} does not start: {why}{self._said}") from None
        except ChildLostError as lost:
            raise OutageError(f"{self._name} does not start: {lost}{self._said}") from lost

    async def _live(self, replies: asyncio.StreamReader, stderr: asyncio.StreamReader) -> None:
        """The child's life. However it ends, whoever still waits is told."""
        cause: BaseException | None = None
        end = "cannot be listened to"
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(stderr))
                watching = group.create_task(self._watch())
                await self._read(replies)
                self._over = True
                watching.cancel()
                code = await self._exit_code()
                await asyncio.wait({listening}, timeout=_LAST_WORDS_S)
                listening.cancel()
            end = self._wrong or how_it_ended(code)
        except BaseException as error:
            cause = error
            self.kill()
            raise
        finally:
            self._over = True
            self._end = end
            self._requests.close()
            for reply in self._asked.values():
                if not reply.done():
                    reply.set_exception(self._lost(cause))

    async def _read(self, replies: asyncio.StreamReader) -> None:
        """Hands out answers until there are no more."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            try:
                while True:
                    self._deliver(await _receive(replies, self._bounds))
            except NonsenseError as error:
                self._condemn(str(error))

    def _deliver(self, reply: Message) -> None:
        number = reply.fields.get("number")
        if not is_count(number):
            raise NonsenseError("an answer without a number")
        self._heard_at = asyncio.get_running_loop().time()
        if "progress" in reply.fields:
            self._follow(number, reply.fields["progress"])
            return
        if number in self._abandoned:
            self._abandoned.discard(number)
            return
        if number not in self._asked:
            raise NonsenseError("an answer that nobody asked for")
        answer = self._asked[number]
        if "error" in reply.fields:
            outcome: Exception | None = faults.from_data(reply.fields)
        elif "value" in reply.fields:
            outcome = None
        else:
            raise NonsenseError("neither a value nor an error")
        del self._asked[number]
        if answer.done():
            return
        if outcome is None:
            answer.set_result(Answer(reply.fields["value"], reply.buffers))
        else:
            answer.set_exception(outcome)

    def _follow(self, number: int, progress: Any) -> None:
        if number in self._abandoned:
            return
        if number not in self._followed:
            raise NonsenseError("progress of what nobody follows")
        try:
            self._followed[number](progress)
        except (ValueError, TypeError, LookupError) as error:
            raise NonsenseError(f"progress: {error}") from error

    async def _watch(self) -> None:
        """Kills the child when it has been asked something, and neither answers nor works."""
        limit = self._silence_limit_s
        if limit is None:
            return
        loop = asyncio.get_running_loop()
        used, worked_at = self.processor_s, loop.time()
        while True:
            await asyncio.sleep(limit / _LOOKS)
            now, before = loop.time(), used
            used = self.processor_s
            if used is None or before is None or used - before > limit / _LOOKS / _IDLE:
                worked_at = now
            silent = now - self._heard_at if self._asked else 0.0
            idle = min(silent, now - worked_at)
            if silent >= _PATIENCE * limit or idle >= limit:
                why = "it was stopped, or is stuck" if idle >= limit else "though it works"
                self._wrong = (
                    f"(process {self._process.pid}) has not answered for {silent:.0f} s, {why}: "
                    "it was killed"
                )
                self.kill()
                return

    async def _exit_code(self) -> int:
        try:
            async with asyncio.timeout(_LAST_WORDS_S):  # its pipes close a moment before it is gone
                return await self._process.wait()
        except TimeoutError:
            self.kill()
        return await self._process.wait()

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        """What libraries print belongs in the debug log, not on the engine's terminal."""
        while piece := await stderr.read(1 << 16):
            words = piece.decode(errors="replace").strip()[-_WORDS:]
            self._said = f": {words}"
            _log.debug("child_said", child=self._name, pid=self._process.pid, words=words)

    def _condemn(self, why: str) -> None:
        self._wrong = f"answered nonsense: {why}"
        self.kill()

    def _lost(self, cause: BaseException | None = None) -> ChildLostError:
        error = ChildLostError(f"{self._name} {self._end}")
        error.__cause__ = cause
        return error


async def _receive(replies: asyncio.StreamReader, bounds: Bounds) -> Message:
    message = unpack(bounds)
    needed = next(message)
    try:
        while True:
            needed = message.send(await replies.readexactly(needed))
    except StopIteration as done:
        complete: Message = done.value
        return complete

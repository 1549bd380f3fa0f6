"""An HTTP server beside other work on an event loop: no peer takes more than a bounded share of
the process's time, files and memory, whatever it sends or does not send.

uvicorn limits neither how long a request may take to arrive nor how many connections there are; a
few hundred silent ones would use up the files that the work beside it needs.
"""

from __future__ import annotations

import asyncio
import enum
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from core.errors import SettingsError
from core.runtime.supervised import supervised

_SHARE_OF_FILES = 8
_QUEUE = 1024
_CLOSE_S = 2


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What peers can take.

    Attributes:
        connections: how many are open at a time, at most; and never more than an eighth of the
            files that the process may open.
        head_s: seconds for the head of a request, since the connection or the answer before it.
        body_s: seconds for its body, since its head.
        work_s: seconds for the application to answer, since the body.
        read_s: seconds for the peer to read what was written to it.
        head_bytes: size of a head, at most.
    """

    connections: int = 64
    head_s: float = 5.0
    body_s: float = 10.0
    work_s: float = 30.0
    read_s: float = 10.0
    head_bytes: int = 16 << 10

    def within_files(self) -> HttpLimits:
        """These limits, with connections for an eighth of the files that this process may open at
        most."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            return self
        return replace(self, connections=max(1, min(self.connections, files // _SHARE_OF_FILES)))


@asynccontextmanager
async def serving(
    app: ASGIApp, host: str, port: int, limits: HttpLimits | None = None
) -> AsyncIterator[int]:
    """Serves while the context is open, and gives the port, which is a free one for port 0.

    A connection over the limit takes the place of the one that has waited longest for its peer, so
    a peer that sends its request is answered while others stay silent. Only where every connection
    is being worked for is the new one closed.

    Raises:
        SettingsError: the port is taken, or not ours to open.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be opened ({error.strerror}): choose another --port"
            " (TAGGER_HTTP_PORT, TAGGER_HTTP_HOST)"
        ) from error
    server = _Server(_Config(app, (limits or HttpLimits()).within_files()))
    port = listener.getsockname()[1]
    try:
        async with supervised() as tasks:
            task = tasks.start("http server", server.serve(sockets=[listener]))
            try:
                yield port
            finally:
                server.should_exit = True
                await asyncio.wait([task])
    finally:
        listener.close()


class _Config(uvicorn.Config):
    """uvicorn's, and the limits."""

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        super().__init__(
            app,
            http=_Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",  # below are warnings of what peers send, as many as they like
            access_log=False,
            # The event loop takes up so many connections in one go, before it counts them.
            backlog=max(1, limits.connections // 4),
            h11_max_incomplete_event_size=limits.head_bytes,
            timeout_keep_alive=max(1, int(limits.head_s)),
            timeout_graceful_shutdown=_CLOSE_S,
        )
        self.limits = limits


class _Server(uvicorn.Server):
    """One that leaves signals to the command line, and ends whatever its peers do."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_QUEUE)  # in the kernel, where they cost us nothing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            connection.transport.abort()


class _Phase(enum.IntEnum):
    """What a connection waits for: whoever is first here has to make room first."""

    HEAD = 0
    BODY = 1
    READ = 2
    WORK = 3


class _Connection(H11Protocol):
    """Is cut off where its peer, or the application, takes too long over a phase."""

    def __init__(self, config: _Config, *args: Any, **kwargs: Any) -> None:
        super().__init__(config, *args, **kwargs)
        limits = config.limits
        self._most = limits.connections
        self._limit_s = {
            _Phase.HEAD: limits.head_s,
            _Phase.BODY: limits.body_s,
            _Phase.READ: limits.read_s,
            _Phase.WORK: limits.work_s,
        }
        self._phase = _Phase.HEAD
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # we are told when all has been read
        self._begin(_Phase.HEAD)
        if len(self.connections) > self._most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._begin(self._now())  # a request that came along with the last one has its own time

    def pause_writing(self) -> None:
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _now(self) -> _Phase:
        if self.transport.get_write_buffer_size():
            return _Phase.READ
        if self.conn.their_state is h11.IDLE:
            return _Phase.HEAD
        if self.conn.their_state is h11.SEND_BODY:
            return _Phase.BODY
        return _Phase.WORK

    def _look(self) -> None:
        if (phase := self._now()) is not self._phase:
            self._begin(phase)

    def _begin(self, phase: _Phase) -> None:
        if self._lost:
            return  # the application has answered nobody
        if self._timer is not None:
            self._timer.cancel()
        self._phase, self._since = phase, self.loop.time()
        self._timer = self.loop.call_later(self._limit_s[phase], self._cut)

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, _Connection)]
        waiting = [one for one in others if one is not self and one._phase is not _Phase.WORK]
        min(waiting, key=lambda one: (one._phase, one._since), default=self)._cut()

    def _cut(self) -> None:
        self.connections.discard(self)  # it takes no place any more, though it ends a moment later
        self.transport.abort()

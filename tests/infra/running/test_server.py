from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.running.server import HttpLimits, serving

pytestmark = pytest.mark.timeout(60)

BRIEF = HttpLimits(connections=4, head_s=0.2, body_s=0.2, work_s=0.2, read_s=0.2)
PATIENT = HttpLimits(connections=4, head_s=60, body_s=60, work_s=60, read_s=60)
WHOLE = b"GET /ok HTTP/1.1\r\nhost: us\r\n\r\n"
LARGE = 64 << 20


class App:
    """Attributes:
    asked: how many requests for ``/work`` have arrived, which is answered once ``done`` is set.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Semaphore(0)
        self.done = asyncio.Event()

    def routes(self) -> Starlette:
        async def ok(_: Request) -> Response:
            return PlainTextResponse("ok\n")

        async def body(request: Request) -> Response:
            return PlainTextResponse(str(len(await request.body())))

        async def large(_: Request) -> Response:
            return PlainTextResponse("x" * LARGE)

        async def work(_: Request) -> Response:
            self.asked.release()
            await self.done.wait()
            return PlainTextResponse("done")

        return Starlette(
            routes=[
                Route("/ok", ok, methods=["GET", "POST"]),
                Route("/body", body, methods=["POST"]),
                Route("/large", large),
                Route("/work", work),
            ]
        )


class Peer:
    """One connection to the server."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int, said: bytes = b"") -> Peer:
        peer = cls(*await asyncio.open_connection("127.0.0.1", port))
        peer.writer.write(said)
        return peer

    async def answer(self) -> bytes:
        """The status line of the next answer; nothing where the connection has ended."""
        with contextlib.suppress(ConnectionError):
            return await self.reader.readline()
        return b""

    async def all(self) -> bytes:
        """Everything until the connection ends."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            while piece := await self.reader.read(1 << 20):
                heard += piece
        return heard

    async def trickle(self) -> bytes:
        """Sends a byte at a time until the server ends the connection; what it said by then."""
        ended = asyncio.create_task(self.all())
        while not ended.done():
            self.writer.write(b"x")
            await asyncio.wait((ended,), timeout=0.02)
        return ended.result()


async def test_who_sends_the_head_of_a_request_slowly_is_cut_off() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, BRIEF) as port:
        peer = await Peer.to(port, b"GET /ok HTTP/1.1\r\nhost: us\r\nname: ")

        assert await peer.trickle() == b""


async def test_who_says_nothing_is_cut_off_also_after_an_answer() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, BRIEF) as port:
        silent = await (await Peer.to(port)).all()
        told = await (await Peer.to(port, WHOLE)).all()

    assert silent == b""
    assert told.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("path", [b"/body", b"/ok"], ids=["awaited", "answered before its end"])
async def test_who_sends_a_body_slowly_is_cut_off(path: bytes) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nhost: us\r\ncontent-length: 100000\r\n\r\n"
    async with serving(App().routes(), "127.0.0.1", 0, BRIEF) as port:
        heard = await (await Peer.to(port, head)).trickle()

    assert heard.startswith(b"HTTP/1.1 200") == (path == b"/ok")


async def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, BRIEF) as port:
        peer = await Peer.to(port)
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        peer.writer.write(b"GET /large HTTP/1.1\r\nhost: us\r\n\r\n")
        await asyncio.sleep(0)

        # Its own writing tells: reading would be what it does not do.
        with pytest.raises(ConnectionError):
            while True:
                peer.writer.write(b"x")
                await peer.writer.drain()
                await asyncio.sleep(0.02)


async def test_an_application_that_takes_too_long_is_not_waited_for() -> None:
    app = App()
    async with serving(app.routes(), "127.0.0.1", 0, BRIEF) as port:
        peer = await Peer.to(port, b"GET /work HTTP/1.1\r\nhost: us\r\n\r\n")

        assert await peer.all() == b""
        app.done.set()


async def test_requests_on_one_connection_have_each_a_time_of_their_own() -> None:
    limits = HttpLimits(head_s=1.0, body_s=1.0, work_s=1.0, read_s=1.0)
    async with serving(App().routes(), "127.0.0.1", 0, limits) as port:
        peer = await Peer.to(port)
        for _ in range(6):  # longer together than one of them may take
            peer.writer.write(WHOLE)
            assert (await peer.reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.2)


async def test_requests_sent_together_are_answered_one_by_one() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, PATIENT) as port:
        peer = await Peer.to(port, WHOLE * 3)

        for _ in range(3):
            assert (await peer.reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")


async def test_a_head_that_is_too_large_is_refused() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, PATIENT) as port:
        peer = await Peer.to(port, b"GET /ok HTTP/1.1\r\nname: " + b"x" * (64 << 10))

        assert b" 4" in await peer.answer()


async def test_a_connection_over_the_limit_displaces_the_one_that_has_been_silent_longest() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, PATIENT) as port:
        silent = [await Peer.to(port, b"GET /ok HT") for _ in range(PATIENT.connections)]
        late = await Peer.to(port, WHOLE)

        assert await late.answer() == b"HTTP/1.1 200 OK\r\n"
        assert await silent[0].answer() == b""
        for other in silent[1:]:
            other.writer.write(b"TP/1.1\r\nhost: us\r\n\r\n")
            assert await other.answer() == b"HTTP/1.1 200 OK\r\n"


async def test_a_connection_that_is_worked_for_is_never_displaced() -> None:
    app = App()
    async with serving(app.routes(), "127.0.0.1", 0, PATIENT) as port:
        request = b"GET /work HTTP/1.1\r\nhost: us\r\n\r\n"
        served = [await Peer.to(port, request) for _ in range(PATIENT.connections)]
        for _ in served:
            await app.asked.acquire()

        refused = await Peer.to(port, WHOLE)
        assert await refused.answer() == b""
        app.done.set()

        for peer in served:
            assert await peer.answer() == b"HTTP/1.1 200 OK\r\n"


async def test_the_end_waits_for_no_peer() -> None:
    async with serving(App().routes(), "127.0.0.1", 0, PATIENT) as port:
        half = await Peer.to(port, b"GET /ok HT")
        deaf = await Peer.to(port)
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        deaf.writer.write(b"GET /large HTTP/1.1\r\nhost: us\r\n\r\n")
        asked = await Peer.to(port, WHOLE)  # by its answer the others have arrived, too
        assert await asked.answer()

    assert await half.answer() == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), 5)

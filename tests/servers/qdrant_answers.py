"""A small HTTP server on the loopback that answers as a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Answers = Callable[[str], tuple[int, str]]
"""The status and the body for a path."""


@asynccontextmanager
async def answering(answers: Answers) -> AsyncIterator[str]:
    """Its address; it is gone at the end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        for line in head.lower().splitlines():
            if line.startswith("content-length:"):
                await reader.readexactly(int(line.partition(":")[2]))
        status, body = answers(head.split()[1])
        length = f"Content-Length: {len(body.encode())}"
        writer.write(f"HTTP/1.1 {status} \r\n{length}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()

"""What a process reports of itself over HTTP: alive, ready, and its metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.running.server import serving


@asynccontextmanager
async def endpoint(host: str, port: int, trouble: Callable[[], str | None]) -> AsyncIterator[None]:
    """Answers while the context is open; port 0 opens none.

    ``/healthz`` is 200 for as long as the event loop turns, ``/readyz`` is 503 with the reason
    while there is ``trouble``, ``/metrics`` is Prometheus' text format.

    Raises:
        SettingsError: the port is taken, or not ours to open.
    """
    if port == 0:
        yield
        return
    async with serving(_app(trouble), host, port):
        yield


def _app(trouble: Callable[[], str | None]) -> Starlette:
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        reason = trouble()
        return PlainTextResponse(f"{reason or 'ready'}\n", 503 if reason else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )

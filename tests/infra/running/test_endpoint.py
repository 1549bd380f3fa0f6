from __future__ import annotations

import urllib.error
import urllib.request
from asyncio import to_thread

import pytest

from core import telemetry
from core.errors import SettingsError
from infra.running.endpoint import endpoint
from tests.servers.process import free_port, listens


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


async def test_a_process_in_trouble_is_alive_and_not_ready_and_says_why() -> None:
    port, trouble = free_port(), ["starting"]
    async with endpoint("127.0.0.1", port, lambda: trouble[0] if trouble else None):
        starting = await to_thread(get, port, "/readyz")
        alive = await to_thread(get, port, "/healthz")
        trouble.clear()
        working = await to_thread(get, port, "/readyz")

    assert starting == (503, "starting\n")
    assert alive == (200, "ok\n")
    assert working == (200, "ready\n")


async def test_metrics_are_in_the_text_format_of_prometheus() -> None:
    port = free_port()
    telemetry.LAG.labels("a-stage-of-this-test").set(7)
    async with endpoint("127.0.0.1", port, lambda: None):
        status, text = await to_thread(get, port, "/metrics")

    assert status == 200
    assert 'tagger_lag_events{stage="a-stage-of-this-test"} 7.0' in text.splitlines()


async def test_a_port_that_is_taken_is_named_with_the_option_that_mends_it() -> None:
    port = free_port()
    async with endpoint("127.0.0.1", port, lambda: None):
        with pytest.raises(SettingsError, match=rf"{port} cannot be opened.*--port"):
            async with endpoint("127.0.0.1", port, lambda: None):
                pass

    assert not listens(port)

"""Each contract test runs once per adapter that ``adapters`` lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from core.log.port import EventLog
from core.state.port import StateStore
from tests.contracts.adapters import LOGS, STATES, LogAdapter, StateAdapter


@pytest.fixture(params=LOGS, ids=lambda adapter: adapter.name)
def log_adapter(request: pytest.FixtureRequest) -> LogAdapter:
    adapter: LogAdapter = request.param
    return adapter


@pytest.fixture(params=STATES, ids=lambda adapter: adapter.name)
def state_adapter(request: pytest.FixtureRequest) -> StateAdapter:
    adapter: StateAdapter = request.param
    return adapter


@pytest.fixture
async def open_log(
    log_adapter: LogAdapter, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[EventLog]]]:
    """Opens the test's log; again, for a restart or a second client. Closed by the test's end."""
    connect = log_adapter.at(tmp_path)
    async with AsyncExitStack() as stack:

        async def open_one() -> EventLog:
            log = await connect()
            stack.push_async_callback(log.close)
            return log

        yield open_one


@pytest.fixture
async def log(open_log: Callable[[], Awaitable[EventLog]]) -> EventLog:
    return await open_log()


@pytest.fixture
async def open_state(
    state_adapter: StateAdapter, tmp_path: Path
) -> AsyncIterator[Callable[[], Awaitable[StateStore]]]:
    """Opens the test's store; again for a restart. Closed by the test's end."""
    connect = state_adapter.at(tmp_path)
    async with AsyncExitStack() as stack:

        async def open_one() -> StateStore:
            state = await connect()
            stack.push_async_callback(state.close)
            return state

        yield open_one


@pytest.fixture
async def state(open_state: Callable[[], Awaitable[StateStore]]) -> StateStore:
    return await open_state()

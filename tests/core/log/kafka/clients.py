"""Clients of a real broker, each test's in a name space of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from core.log.kafka.log import KafkaEventLog, KafkaOptions
from core.runtime.retry import RetryPolicy
from tests.core.runtime.stages import BOUNDS, create_topics
from tests.servers.kafka import KafkaBroker

PATIENT = RetryPolicy(max_attempts=3, max_deaths=3, base_s=0.05, cap_s=0.5)
"""Asks a broker that is away a few times a second, not hundreds of times."""

BATCHES = replace(BOUNDS, max_in_flight=64, max_spread=96)


def options(bootstrap: str, **changes: object) -> KafkaOptions:
    """Of a test: short patience, and a prefix that nobody else has."""
    fields: dict[str, object] = {
        "prefix": f"test-{uuid.uuid4().hex}.",
        "session_timeout_s": 6.0,
        "rebalance_timeout_s": 10.0,
        **changes,
    }
    return KafkaOptions(bootstrap, "tests", **fields)  # type: ignore[arg-type]


@asynccontextmanager
async def opened(which: KafkaOptions) -> AsyncIterator[KafkaEventLog]:
    """One client; several with the same options are as many processes."""
    log = await KafkaEventLog.open(which)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def private(
    folder: Path, **changes: object
) -> AsyncIterator[tuple[KafkaBroker, KafkaEventLog]]:
    """A broker that the test may kill, with a client and the engine's topics."""
    broker = KafkaBroker(folder)
    broker.start()
    try:
        async with opened(options(broker.bootstrap, **changes)) as log:
            await create_topics(log)
            yield broker, log
    finally:
        broker.kill()

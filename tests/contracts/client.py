"""A process of its own that uses a log: ``python -m tests.contracts.client ADDRESS VERB ...``.

``publish TOPIC COUNT NAME`` sends NAME-0, NAME-1, ... many at once, and prints a line for each
that was acknowledged. ``hold GROUP TOPIC`` consumes a group until it is killed.
"""

from __future__ import annotations

import asyncio
import sys

from core.log.port import EventLog, Message
from tests.contracts.adapters import open_address
from tests.contracts.reading import join

_AT_ONCE = 8


async def _publish(log: EventLog, topic: str, count: str, name: str) -> None:
    async def some(first: int) -> None:
        for n in range(first, int(count), _AT_ONCE):
            value = f"{name}-{n}"
            await log.publish([Message(topic, f"key-{n % 5}", value.encode())])
            print(value, flush=True)

    await asyncio.gather(*(some(first) for first in range(_AT_ONCE)))


async def _hold(log: EventLog, group: str, topic: str) -> None:
    await join(log, group, [topic])
    print("holding", flush=True)
    await asyncio.Event().wait()


async def _main(address: str, verb: str, *arguments: str) -> None:
    log = await open_address(address)
    try:
        if verb == "publish":
            await _publish(log, *arguments)
        else:
            await _hold(log, *arguments)
    finally:
        await log.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))

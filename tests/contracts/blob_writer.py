"""A process that stores blobs without end, and says on its output which ones it was told are safe.

Run as ``python -m tests.contracts.blob_writer ADDRESS``; the test that does so kills it.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import sys

from core.blobs.port import Blob
from tests.contracts.blob_factories import open_address


def content(key: str) -> bytes:
    """64 kB that follow from the key, so that whoever finds the blob knows whether it is whole."""
    return hashlib.sha256(key.encode()).digest() * 2048


async def _write(address: str) -> None:
    blobs = await open_address(address)

    async def write(writer: int) -> None:
        for number in itertools.count():
            keys = [f"w{writer}/{number}/{part}.jpg" for part in range(4)]
            await blobs.put([Blob(key, content(key), "image/x-test") for key in keys])
            print("\n".join(keys), flush=True)

    await asyncio.gather(*(write(writer) for writer in range(3)))


if __name__ == "__main__":
    asyncio.run(_write(sys.argv[1]))

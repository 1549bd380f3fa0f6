"""Records that nobody can read, among good ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

from core.blobs.keys import data_key
from core.blobs.port import Blob
from core.envelope import encode
from core.events import MediaTagged
from core.ids import content_hash
from core.log.port import Message
from core.ports import Ports
from core.settings import Settings
from infra.wiring.adapters import open_ports
from tests.core.samples import MEDIA, SAMPLES

_GOOD = encode(SAMPLES["media.tagged"])


def bad_records(topic: str) -> list[Message]:
    """One of each kind."""
    other = SAMPLES["media.uploaded" if topic == MediaTagged.topic else "media.tagged"]
    headers, value = _GOOD.headers, _GOOD.value
    return [
        Message(topic, MEDIA, b"no json", {}),
        Message(topic, MEDIA, b"{}", {**headers, "ce_type": f"{topic}.v9"}),
        Message(topic, MEDIA, b"{}", {**headers, "ce_type": f"{topic}.v1"}),
        Message(topic, MEDIA, encode(other).value, encode(other).headers),
        Message(topic, MEDIA, value, {**headers, "ce_purpose": "mischief"}),
        Message(topic, MEDIA, b"", {**headers, "ce_dataref": "media/ab/abab.jpg"}),
        Message(topic, MEDIA, b"", {**headers, "ce_dataref": data_key(topic, content_hash(b""))}),
        Message(topic, MEDIA, b"{", {"content-type": "application/cloudevents+json"}),
    ]


async def say_bad_records(ports: Ports, topic: str) -> int:
    """Publishes them; how many there are."""
    messages = bad_records(topic)
    await ports.log.publish([*messages, Message(topic, "another medium", None, {})])
    return len(messages)


def add_bad_records(data_dir: Path, topic: str) -> int:
    """The same to a data folder."""

    async def work() -> int:
        async with open_ports(Settings(data_dir=data_dir)) as ports:
            return await say_bad_records(ports, topic)

    return asyncio.run(work())


def spoil_blobs(data_dir: Path, prefix: str) -> int:
    """Cuts every blob below the prefix in half; how many there were."""

    async def work() -> int:
        async with open_ports(Settings(data_dir=data_dir)) as ports:
            keys = [blob.key async for blob in ports.blobs.list(prefix)]
            for key in keys:
                value = await ports.blobs.get(key)
                await ports.blobs.put([Blob(key, value[: len(value) // 2], "application/json")])
            return len(keys)

    return asyncio.run(work())

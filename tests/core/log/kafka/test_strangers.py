"""Records of strangers are read, whatever bytes their keys and headers are."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from core.log.kafka.batches import Batches
from core.log.port import Message, Record, TopicSpec
from tests.core.log.kafka.clients import opened, options
from tests.servers.kafka import kafka_bootstrap

ODD = b"\xff\xfe\xfd\xfc"
ESCAPED = ODD.decode(errors="surrogateescape")


@pytest.mark.parametrize("compression", [0, 1])
def test_a_batch_with_a_header_whose_name_is_no_text_is_read(compression: int) -> None:
    data = b"".join(_batch(n, compression) for n in range(2))
    batches = Batches(data)
    read = []

    while batches.has_next():
        read += [(r.value, r.headers) for r in batches.next_batch()]

    plain, odd = [("name", b"1")], [(ESCAPED, b"1")]
    expected = [(b"0", plain), (b"1", odd if not compression else plain), (b"2", plain)]
    assert read == expected * 2


async def test_keys_and_headers_of_any_bytes_come_and_go_as_they_are() -> None:
    ours = options(kafka_bootstrap())
    async with opened(ours) as log:
        await log.create_topics([TopicSpec("odd", partitions=1)])
        async with AIOKafkaProducer(bootstrap_servers=ours.servers) as producer:
            headers = [("odd", ODD), ("none", None), ("plain", b"text")]
            await producer.send_and_wait(ours.outer("odd"), ODD, ODD, headers=headers)

        (read,) = await _all(log)
        await log.publish([Message("odd", read.key, read.value, read.headers)])
        _, again = await _all(log)

    assert (read.key, read.value) == (ESCAPED, ODD)
    assert read.headers == {"odd": ESCAPED, "none": "", "plain": "text"}
    assert (again.key, again.headers) == (read.key, read.headers)


async def _all(log: object) -> list[Record]:
    return [r async for r in log.tail(["odd"], "earliest", follow=False)]  # type: ignore[attr-defined]


def _batch(base: int, compression: int) -> bytes:
    """Three records; the second one's header has an odd name, where that can be written."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 100_000)
    for number in range(3):
        name = "oddy" if number == 1 and not compression else "name"
        value = str(number).encode()
        builder.append(number, timestamp=1, key=b"k", value=value, headers=[(name, b"1")])
    return bytes(builder.build()).replace(b"oddy", ODD)

"""Golden values come from Kafka's own test, UtilsTest.testMurmur2."""

from __future__ import annotations

import pytest

from core.log.partitioner import murmur2, partition_of


@pytest.mark.parametrize(
    ("data", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


def test_a_negative_hash_still_finds_a_partition() -> None:
    assert partition_of("foobar", 12) == (-790332482 & 0x7FFFFFFF) % 12


def test_a_key_is_hashed_as_utf_8() -> None:
    assert partition_of("größe", 1000) == (murmur2("größe".encode()) & 0x7FFFFFFF) % 1000

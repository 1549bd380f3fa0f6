"""Which partition a key belongs to: the rule of Kafka's default partitioner.

Every client of every language that keeps to it agrees, so an event log can move to Kafka, or be
written by programs of others, and a key still finds the partition of its past.

Source: MurmurHash2 (Austin Appleby), 32 bits, with Kafka's seed: `Utils.murmur2` and
`BuiltInPartitioner.partitionForKey` in org.apache.kafka.
"""

from __future__ import annotations

import struct
from functools import lru_cache

_MASK = 0xFFFFFFFF
_SEED = 0x9747B28C
_MULTIPLIER = 0x5BD1E995


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key among ``partitions``, counted from 0."""
    return _positive_hash(key) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2 of the bytes as Kafka seeds it; 0 to 2**32 - 1."""
    value = _SEED ^ len(data)
    whole = len(data) // 4
    for word in struct.unpack_from(f"<{whole}I", data):
        word = word * _MULTIPLIER & _MASK
        value = (value * _MULTIPLIER & _MASK) ^ ((word ^ word >> 24) * _MULTIPLIER & _MASK)
    if rest := data[whole * 4 :]:
        value = (value ^ int.from_bytes(rest, "little")) * _MULTIPLIER & _MASK
    value = (value ^ value >> 13) * _MULTIPLIER & _MASK
    return value ^ value >> 15


@lru_cache(maxsize=16_384)
def _positive_hash(key: str) -> int:
    # A media id is hashed once for each topic it passes through; pure Python needs 4 us for it.
    # A key whose bytes are no UTF-8 was read with surrogates in it, and goes back as those bytes.
    return murmur2(key.encode(errors="surrogateescape")) & 0x7FFFFFFF

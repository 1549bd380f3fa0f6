"""Fetched batches, whatever names their headers have.

Kafka's protocol calls a header's name text, and its brokers do not look. aiokafka decodes it as
UTF-8 and fails for the whole batch, again at each fetch: one record would stop a group for good.
Here such a batch is read a second time, with the bytes that are no UTF-8 as lone surrogates
(PEP 383), as the log has them in headers' values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = slice(8, 12)
_OVERHEAD = 12


class Batches:
    """What one fetch gave of a partition; in the place of aiokafka's ``MemoryRecords``."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._position = 0
        self._batches = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        size: int = self._batches.size_in_bytes()
        return size

    def has_next(self) -> bool:
        found: bool = self._batches.has_next()
        return found

    def next_batch(self) -> Any:
        batch = self._batches.next_batch()
        rest = self._data[self._position :]
        end = _OVERHEAD + int.from_bytes(rest[_LENGTH], "big")
        self._position += end
        return batch if batch is None else _Batch(batch, rest[:end])


class _Batch:
    """A batch that is read again, leniently, if aiokafka cannot read it."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        given = 0
        try:
            for record in self._batch:
                yield record
                given += 1
        except (UnicodeDecodeError, CorruptRecordException):
            for number, record in enumerate(_LenientBatch(bytes(self._data))):
                if number >= given:
                    yield record


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        buffer: bytes = self._buffer  # type: ignore[has-type]
        self._buffer = _LenientBytes(buffer)


class _LenientBytes(bytearray):
    """Bytes whose pieces decode to text in any case."""

    def __getitem__(self, index: Any) -> Any:
        piece = super().__getitem__(index)
        return _LenientBytes(piece) if isinstance(index, slice) else piece

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "surrogateescape")


def read_any_header() -> None:
    """aiokafka takes no other reader of batches than the one that its fetcher names."""
    fetcher.MemoryRecords = Batches

"""Publishing on the embedded log: records at the ends of their partitions, under a fence."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Sequence

from core.database.transaction import Bulk, Transaction
from core.log.partitioner import partition_of
from core.log.port import Fence, Message
from core.log.sqlite.groups import check_fence
from core.log.sqlite.read import end_offset
from core.log.sqlite.topics import Topics, first_id

_RECORDS = Bulk(
    "records", "INSERT INTO records (id, time, key, headers, value) VALUES", "(?,?,?,?,?)"
)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Ends(dict[int, tuple[int, int]]):
    """Per shard the offset of the next record and the time of the last one."""


class Appender:
    """Prepares messages on the caller's side, so that the writer only numbers them."""

    def __init__(self, topics: Topics, clock: Callable[[], float] = time.time) -> None:
        self._topics = topics
        self._clock = clock
        self._spread = itertools.count()

    def prepare(
        self, messages: Sequence[Message], fence: Fence | None
    ) -> Callable[[Transaction], None]:
        """The job that appends them; raises SettingsError for a topic that does not exist."""
        rows: list[tuple[int, str | None, str, bytes | None]] = []
        for message in messages:
            topic = self._topics.get(message.topic)
            if message.key is None:
                partition = next(self._spread) % topic.partitions
            else:
                partition = partition_of(message.key, topic.partitions)
            headers = _encode(dict(message.headers)) if message.headers else "{}"
            rows.append((topic.base + partition, message.key, headers, message.value))
        channels = {message.topic for message in messages}

        def append(transaction: Transaction) -> None:
            if fence is not None:
                check_fence(transaction, fence)
            ends = transaction.memory(_Ends)
            now = int(self._clock() * 1000)
            numbered = []
            for shard, key, headers, value in rows:
                offset, last = ends.get(shard) or end_offset(transaction.db, shard)
                # A clock that was set back must not unsort a partition: seeking by time halves it.
                last = max(last, now)
                numbered.append((first_id(shard) + offset, last, key, headers, value))
                ends[shard] = offset + 1, last
            transaction.add(_RECORDS, numbered)
            transaction.rung |= channels

        return append

"""What of a member's partitions may be under way: no further from what is committed than a crash
may repeat.

An event that was begun and not committed is begun again after a crash, and the crash guard must
know which these may be. So both count from what the log has as committed, and nothing is begun
beyond.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from core.log.port import Record, TopicPartition
from core.runtime.lanes import CommitTracker


class Work(NamedTuple):
    """A record that may begin, and the tracker of the assignment under which it was read."""

    record: Record
    tracker: CommitTracker


class Window:
    """The partitions that are ours, how far each is, and what was read too far ahead.

    Args:
        spread: offsets from a partition's committed one on whose events may begin.

    Attributes:
        share: the most to read at once, and the least room of a partition that is read: so what is
            read may begin, but for what lies behind a gap in the offsets.
        held: records that were read and may not begin yet.
    """

    def __init__(self, spread: int) -> None:
        self.share = max(1, spread // 4)
        self.held = 0
        self._spread = spread
        self._trackers: dict[TopicPartition, CommitTracker] = {}
        self._ahead: dict[TopicPartition, deque[Record]] = {}

    def take(self, starts: Mapping[TopicPartition, int]) -> None:
        """Adds partitions that are ours now, and committed up to these offsets."""
        for tp, start in starts.items():
            self._trackers[tp] = CommitTracker(start, self._spread)

    def owned(self, partitions: Collection[TopicPartition]) -> frozenset[TopicPartition]:
        """Those of them that are ours."""
        return frozenset(tp for tp in partitions if tp in self._trackers)

    def holds(self, tp: TopicPartition, tracker: CommitTracker) -> bool:
        """Whether the assignment that the tracker belongs to still holds."""
        return self._trackers.get(tp) is tracker

    def forget(self, partitions: Collection[TopicPartition]) -> None:
        """Removes partitions that are not ours any more."""
        self.drop(partitions)
        for tp in partitions:
            self._trackers.pop(tp, None)

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Forgets the records of these partitions that have not begun."""
        for tp in partitions:
            self.held -= len(self._ahead.pop(tp, ()))

    def accept(self, record: Record) -> Work | None:
        """The record as work that may begin; None if it has to wait, or is none of ours."""
        tracker = self._trackers.get(record.tp)
        if tracker is None or not tracker.deliver(record.offset):
            return None  # revoked since it was fetched, or delivered before
        if tracker.fits(record.offset):
            return Work(record, tracker)
        self._ahead.setdefault(record.tp, deque()).append(record)
        self.held += 1
        return None

    def release(self) -> Iterator[Work]:
        """The held records that may begin now."""
        for tp in list(self._ahead):
            tracker, ahead = self._trackers[tp], self._ahead[tp]
            while ahead and tracker.fits(ahead[0].offset):
                self.held -= 1
                yield Work(ahead.popleft(), tracker)
            if not ahead:
                del self._ahead[tp]

    def full(self) -> set[TopicPartition]:
        """Partitions that must not be read further now."""
        return {tp for tp, tracker in self._trackers.items() if tracker.room < self.share}

    def pressed(self, tracker: CommitTracker) -> bool:
        """Whether a commit would let records begin that stand still without it."""
        return (
            tracker.room < self.share
            and tracker.committable() is not None
            and (self.held > 0 or tracker.room_to_gain >= self.share)
        )

    def committable(
        self, partitions: Collection[TopicPartition] | None = None
    ) -> dict[TopicPartition, tuple[CommitTracker, int]]:
        """Offsets to commit, of these partitions or of all."""
        return {
            tp: (tracker, offset)
            for tp, tracker in self._trackers.items()
            if (partitions is None or tp in partitions)
            and (offset := tracker.committable()) is not None
        }

    def __iter__(self) -> Iterator[CommitTracker]:
        return iter(self._trackers.values())

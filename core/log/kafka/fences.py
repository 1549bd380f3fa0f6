"""Which generations of a group are known to be over: nothing is published in their name."""

from __future__ import annotations

from typing import Protocol

from core.errors import OwnershipLostError
from core.log.port import Fence


class Member(Protocol):
    """What is known of a subscription of ours."""

    @property
    def fence(self) -> Fence: ...

    @property
    def holds(self) -> bool:
        """Whether the group still knows this member in its fence's generation."""
        ...


class Fences:
    """What one client knows. Kafka itself checks the generation of a commit, never of a record, so
    an owner that was thrown out and has not noticed can publish what its successor publishes, too:
    ids are derived, and readers see that it is the same."""

    def __init__(self) -> None:
        self._over: dict[str, int] = {}
        self._members: dict[str, set[Member]] = {}

    def joined(self, group: str, member: Member) -> None:
        self._members.setdefault(group, set()).add(member)

    def left(self, group: str, member: Member) -> None:
        self._members.get(group, set()).discard(member)

    def over(self, fence: Fence) -> None:
        self._over[fence.group] = max(fence.epoch, self._over.get(fence.group, 0))

    def check(self, fence: Fence) -> None:
        """Raises OwnershipLostError; a newer generation, of another client, is let through."""
        same = [member for member in self._members.get(fence.group, ()) if member.fence == fence]
        if any(member.holds for member in same):
            return
        if same or fence.epoch <= self._over.get(fence.group, 0):
            raise OwnershipLostError(
                f"generation {fence.epoch} of group {fence.group!r} is over; "
                "its uncommitted records are done again by their new owner"
            )

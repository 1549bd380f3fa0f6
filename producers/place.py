"""What a kind of place has to bring for a producer to watch it: notices, listing, admission."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from producers.hold import Hold

Found = TypeVar("Found")
"""What a listing shows of a file or object, by which one version of it differs from another."""
Hint = TypeVar("Hint")
"""How a notice names what arrived."""

_Given = TypeVar("_Given", contravariant=True)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """From here on, notices come of what arrives. What arrived before may get none: list the
    place."""


@dataclass(frozen=True, slots=True)
class Put(Generic[Hint]):
    """These arrived, and may have been replaced since."""

    hints: Sequence[Hint]


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """No notices come of what arrives, until the next :class:`Subscribed`.

    Attributes:
        refused: the place sends no notices; else it is away.
    """

    reason: str
    refused: bool


Notice: TypeAlias = Subscribed | Put[Hint] | Unsubscribed


@dataclass(slots=True)
class Page(Generic[Found]):
    """Some of what is in a place, sorted out by its names.

    Attributes:
        ours: pictures and videos, by name.
        ignored: of other kinds, counted by extension (lower case, with its dot, or empty).
        gone: names that were hinted at, and of which nothing is there.
    """

    ours: dict[str, Found] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)
    gone: Collection[str] = ()


class Place(Protocol[Found, Hint]):
    """A place as it is seen from outside.

    Attributes:
        subscribes_in_s: how long the first listing waits for the subscription, in seconds; 0 where
            each listing sees to the subscription before it looks.
    """

    subscribes_in_s: float

    def notices(self) -> AsyncIterator[Notice[Hint]]:
        """Without end: hints, and whether they come. Raises what no waiting mends."""
        ...

    def list(self, present: AbstractSet[str], /) -> AsyncIterator[Page[Found]]:
        """All that is there, page by page; ``present`` is what was there last time.

        Raises OutageError while the place is away, and what no waiting mends.
        """
        ...

    async def look(self, hints: Sequence[Hint], /) -> Page[Found]:
        """What is there under the hinted names; raises OutageError: only a listing can tell
        then."""
        ...

    async def close(self) -> None:
        """No notice comes after this."""
        ...


class Admission(Protocol[_Given]):
    """The way from seen to announced.

    Attributes:
        hold: keeps it still while what it needs is away.
    """

    hold: Hold

    @property
    def announced(self) -> int:
        """How many files or objects were announced so far."""
        ...

    @property
    def busy(self) -> bool:
        """Whether something of what was offered is still to be announced."""
        ...

    def offer(self, seen: Mapping[str, _Given], /) -> None:
        """Takes in what is new among these, which are in the place as they are now."""
        ...

    def forget(self, name: str, /) -> None:
        """Drops a name of which nothing is there any more."""
        ...

    def keep(self, present: AbstractSet[str], /) -> None:
        """Drops all names but these, which are all that is there."""
        ...

    async def work(self, group: asyncio.TaskGroup, /) -> None:
        """Starts what may be started now, as tasks of the ``group``."""
        ...

    def next_look(self) -> float | None:
        """When there is something to do again; None while nothing is planned."""
        ...

    async def finish(self) -> None:
        """Ends what is under way; what is cut off is taken up by a restart."""
        ...

"""Duplicate flags: which points of a catalog repeat another one, kept right in their payloads by
any number of processes.

**What is right.** A point is flagged if a point within the threshold has a smaller rank, and the
flag names the smallest such; a rank is (product id, item id). So flags follow from the points that
are there, not from what arrived first. Points that are *leaving* count as gone.

**Why any number of processes get there.** The store has no transactions: between a search and the
annotation that follows from it, another process may change either. Therefore nobody relies on an
annotation; whoever changes something that a flag may depend on, looks *after* that change:

- Whoever upserts a point p searches from p. That shows whether p's own flag is right, and every
  point x of larger rank near it: x must be flagged with p or a smaller one.
- Whoever takes a point g away marks it as leaving first, and then searches from g. No point near it
  may be flagged with g. Only then g is deleted, which changes nothing any more.
- Whoever annotates a point searches from it again, and annotates again, until the search shows the
  flag that follows from its neighbours.

Take the last change that bears on a point's flag: whoever made it looks after it, so sees the
final points and the final flag; were the flag wrong, an annotation would follow, and the change
would not have been the last. And there is a last one: once points stay as they are, every search
gives the right flag, so each process has at most one wrong annotation left in it, from a search
before that. Looking again is repeated only for points that were annotated; where nothing is near,
one search is all.

**Why a crash at any moment leaves nothing wrong.** Its event comes again, and does all of the above
again: points are upserted again, and what is leaving is deleted last, so it is still there to
search from. What might have been annotated, but not looked at again, is known by ``flagged_for``:
the point for whose sake the annotation was made.

Both rest on searches that miss nothing, and from either side give the same. So flags are as right
as the store's index where that is approximate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from core.vectors.port import Filter, Hit, Payload, Point, VectorStore

FIELDS = frozenset({"duplicate_of", "duplicate_of_product", "flagged_for", "leaving"})
"""The payload fields that are written here; no reader of a catalog needs the last two."""

_Item = TypeVar("_Item")

_FIRST_LIMIT = 64
_HITS_AT_ONCE = 1 << 14
_POINTS_AT_ONCE = 256


class Rank(NamedTuple):
    """Of two near points the one of larger rank is the duplicate."""

    product: str
    item: str


class _Due(NamedTuple):
    """A point that is to be looked at, for the sake of another one (or of itself), after it was
    flagged with ``flag`` if ``write``."""

    sake: str
    flag: Rank | None = None
    write: bool = False

    @property
    def annotation(self) -> Payload:
        return {
            "duplicate_of_product": self.flag.product if self.flag else None,
            "duplicate_of": self.flag.item if self.flag else None,
            "flagged_for": self.sake,
        }


class DuplicateFlags:
    """The flags of one collection. Payloads of its points have ``product_id``, and their id as
    ``item_id``.

    Args:
        threshold: the least cosine similarity of points that repeat each other.
    """

    def __init__(
        self, vectors: VectorStore, collection: str, embedder: str, threshold: float
    ) -> None:
        self._vectors = vectors
        self._collection = collection
        self._embedder = embedder
        self._threshold = threshold

    async def settle(self, written: Sequence[Point]) -> None:
        """Makes right the flags of points that were upserted a moment ago, and of all near them.

        Raises OutageError as the store does; then do both again.
        """
        own = {point.id: point for point in written}
        due: dict[str, _Due] = {}
        async for point, hits in self._near(written):
            rank = rank_of(point)
            due.update(_wrong(point, hits, point.id))
            for hit in _repeating(hits, rank):
                if hit.id in own:
                    continue  # it is searched from, too
                planned = due.get(hit.id)
                flag = planned.flag if planned and planned.write else _flag(hit.payload)
                if flag is None or flag > rank:
                    due[hit.id] = _Due(point.id, rank, write=True)
                elif hit.payload.get("flagged_for") == point.id:
                    due.setdefault(hit.id, _Due(point.id))
        await self._look_again(due, own)

    async def release(self, leaving: Sequence[Point]) -> None:
        """Takes these out of what flags follow from; delete or replace them afterwards.

        Raises OutageError as the store does; then do it again.
        """
        ids = {point.id for point in leaving}
        await self._vectors.annotate(self._collection, {one: {"leaving": True} for one in ids})
        due: dict[str, _Due] = {}
        async for point, hits in self._near(leaving):
            for hit in _repeating(hits, rank_of(point)):
                if ids & {hit.payload.get("duplicate_of"), hit.payload.get("flagged_for")}:
                    due[hit.id] = _Due(point.id)
        await self._look_again(due, {})

    async def _look_again(self, due: dict[str, _Due], own: dict[str, Point]) -> None:
        """Annotates what is due, and looks, until what was annotated is right. Points that are not
        our ``own`` may get other vectors any time, so each look begins with where they are now."""
        while due:
            annotations = {point: one.annotation for point, one in due.items() if one.write}
            if annotations:
                await self._vectors.annotate(self._collection, annotations)
            points = [own[point] for point in due if point in own]
            points += await self._read([point for point in due if point not in own])
            again: dict[str, _Due] = {}
            async for point, hits in self._near(points):
                again.update(_wrong(point, hits, due[point.id].sake))
            due = again

    async def _near(self, points: Sequence[Point]) -> AsyncIterator[tuple[Point, list[Hit]]]:
        """Each point with all hits within the threshold, itself among them if it is there."""
        limit = _FIRST_LIMIT
        while points:
            crowded: list[Point] = []
            for some in _chunks(points, max(1, _HITS_AT_ONCE // limit)):
                rows = np.stack([point.vector for point in some])
                found = await self._vectors.search(
                    self._collection, self._embedder, rows, limit, self._threshold
                )
                for point, hits in zip(some, found, strict=True):
                    if len(hits) == limit:
                        crowded.append(point)
                    else:
                        yield point, hits
            points, limit = crowded, limit * 8

    async def _read(self, ids: Sequence[str]) -> list[Point]:
        """Those that are still there."""
        found: list[Point] = []
        for some in _chunks(ids, _POINTS_AT_ONCE):
            page, _ = await self._vectors.scroll(
                self._collection, Filter({"item_id": some}), len(some)
            )
            found += page
        return found


def rank_of(point: Point | Hit) -> Rank:
    return Rank(str(point.payload.get("product_id", "")), point.id)


def _wrong(point: Point, hits: Sequence[Hit], sake: str) -> dict[str, _Due]:
    """The point with the flag that it should have, unless it has that, or is gone."""
    own = next((hit for hit in hits if hit.id == point.id), None)
    if own is None or own.payload.get("leaving"):
        return {}
    rank = rank_of(point)
    smaller = [other for hit in _staying(hits) if (other := rank_of(hit)) < rank]
    right = min(smaller, default=None)
    return {} if _flag(own.payload) == right else {point.id: _Due(sake, right, write=True)}


def _repeating(hits: Sequence[Hit], rank: Rank) -> Iterator[Hit]:
    """Those whose flags a point of this rank bears on."""
    return (hit for hit in _staying(hits) if rank_of(hit) > rank)


def _staying(hits: Sequence[Hit]) -> Iterator[Hit]:
    return (hit for hit in hits if not hit.payload.get("leaving"))


def _flag(payload: Payload) -> Rank | None:
    flagged = payload.get("duplicate_of")
    return Rank(str(payload.get("duplicate_of_product", "")), str(flagged)) if flagged else None


def _chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))

"""A vector store for several callers whose calls happen in an order that a seed decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from core.errors import OutageError
from core.events import Vectors
from core.vectors.port import CollectionSpec, Filter, Hit, Payload, Point, VectorStore

_Answer = TypeVar("_Answer")


class Turns:
    """Lets one of those who are about to call the store go ahead, again and again."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._arrivals: asyncio.Queue[asyncio.Future[None] | None] = asyncio.Queue()

    async def mine(self) -> None:
        """Returns when it is the caller's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._arrivals.put_nowait(turn)
        await turn

    async def conduct(self, *actors: Coroutine[Any, Any, None]) -> None:
        """Until all have ended; while one of them works, the others wait for their turns."""

        async def run(actor: Coroutine[Any, Any, None]) -> None:
            try:
                await actor
            finally:
                self._arrivals.put_nowait(None)

        tasks = [asyncio.create_task(run(actor)) for actor in actors]
        waiting: list[asyncio.Future[None]] = []
        at_work = len(tasks)
        while at_work or waiting:
            while at_work:
                arrived = await self._arrivals.get()
                at_work -= 1
                if arrived is not None:
                    waiting.append(arrived)
            if waiting:
                waiting.pop(self.random.randrange(len(waiting))).set_result(None)
                at_work = 1
        await asyncio.gather(*tasks)


class TurnStore:
    """A VectorStore as one process of several sees it.

    The port does not promise that a call for several points is one step, so here each of them is a
    call of its own.

    Args:
        trouble: the share of calls that fail, half of them after they have done their work.

    Attributes:
        calls: the names of those made so far.
    """

    def __init__(self, store: VectorStore, turns: Turns, trouble: float = 0.0) -> None:
        self._store = store
        self._turns = turns
        self._trouble = trouble
        self.calls: list[str] = []

    async def create(self, spec: CollectionSpec) -> None:
        await self._turn(partial(self._store.create, spec))

    async def collections(self) -> dict[str, CollectionSpec]:
        return await self._turn(partial(self._store.collections))

    async def drop(self, collection: str) -> None:
        await self._turn(partial(self._store.drop, collection))

    async def upsert(self, collection: str, embedder: str, points: Sequence[Point]) -> None:
        for point in points:
            await self._turn(partial(self._store.upsert, collection, embedder, [point]))

    async def annotate(self, collection: str, payloads: Mapping[str, Payload]) -> None:
        for point, payload in payloads.items():
            await self._turn(partial(self._store.annotate, collection, {point: payload}))

    async def search(
        self,
        collection: str,
        embedder: str,
        vectors: Vectors,
        limit: int,
        min_score: float,
        where: Filter | None = None,
    ) -> list[list[Hit]]:
        search = partial(self._store.search, collection, embedder)
        return [
            (await self._turn(partial(search, row[None], limit, min_score, where)))[0]
            for row in vectors
        ]

    async def scroll(
        self, collection: str, where: Filter | None, limit: int, after: str | None = None
    ) -> tuple[list[Point], str | None]:
        return await self._turn(partial(self._store.scroll, collection, where, limit, after))

    async def facet(
        self, collection: str, field: str, where: Filter | None = None, limit: int = 1000
    ) -> dict[str, int]:
        return await self._turn(partial(self._store.facet, collection, field, where, limit))

    async def count(self, collection: str, where: Filter | None = None) -> int:
        return await self._turn(partial(self._store.count, collection, where))

    async def delete(self, collection: str, where: Filter) -> None:
        await self._turn(partial(self._store.delete, collection, where))

    async def serving(self, alias: str) -> str | None:
        return await self._turn(partial(self._store.serving, alias))

    async def serve(self, alias: str, collection: str) -> None:
        await self._turn(partial(self._store.serve, alias, collection))

    async def close(self) -> None:
        """The store is shared."""

    async def _turn(self, call: partial[Coroutine[Any, Any, _Answer]]) -> _Answer:
        await self._turns.mine()
        self.calls.append(call.func.__name__)
        fails = self._turns.random.random() < self._trouble
        if fails and self._turns.random.random() < 0.5:
            raise OutageError("the process died before the call")
        answer = await call()
        if fails:
            raise OutageError("the process died after the call")
        return answer

"""Several processes that index at the same time leave the flags that one would have left."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.index import IndexStage
from core.envelope import Event
from core.errors import OutageError
from core.events import ItemsEmbedded
from core.vectors.port import VectorStore
from tests.consumers.catalogs import CONTEXT, embedded
from tests.consumers.shops import THRESHOLD, flags, right_flags, shop
from tests.contracts.vector_factories import VECTORS
from tests.turns import Turns, TurnStore

FLAGGING = frozenset({"scroll", "upsert", "search", "annotate", "delete"})


@pytest.fixture
async def vectors(tmp_path: Path) -> VectorStore:
    """Qdrant's own server in memory: thousands of changes that need not reach a disk."""
    (memory,) = [adapter for adapter in VECTORS if adapter.name == "qdrant-memory"]
    return await memory.at(tmp_path)()


async def indexed(
    vectors: VectorStore, seed: int, processes: int = 2, trouble: float = 0.0
) -> bool:
    """Whether the flags are right once all processes have indexed their part of the shop."""
    turns = Turns(seed)
    catalog = f"catalog{seed}"

    async def process(events: list[Event[ItemsEmbedded]]) -> None:
        for event in events:
            await until_done(event)

    async def until_done(event: Event[ItemsEmbedded]) -> None:
        while True:
            store = TurnStore(vectors, turns, trouble)
            try:
                await IndexStage(store, catalog, 2, THRESHOLD).handle(event, CONTEXT)
            except OutageError:
                continue  # as another process would take over
            return

    await turns.conduct(*(process(events) for events in shop(seed, processes)))

    collection = f"{catalog}__g1"
    return await flags(vectors, collection) == await right_flags(vectors, collection)


@pytest.mark.parametrize(("processes", "orders"), [(1, 20), (2, 100), (3, 30)])
async def test_duplicate_flags_are_the_same_in_every_order_of_calls(
    processes: int, orders: int, vectors: VectorStore
) -> None:
    wrong = [seed for seed in range(orders) if not await indexed(vectors, seed, processes)]

    assert wrong == []


async def test_duplicate_flags_are_right_after_crashes_at_any_call(
    vectors: VectorStore,
) -> None:
    wrong = [seed for seed in range(40) if not await indexed(vectors, seed, trouble=0.1)]

    assert wrong == []


async def test_only_what_is_near_costs_more_than_one_search(vectors: VectorStore) -> None:
    shop = [
        embedded("m1", {"alone": 90}, "A"),
        embedded("m2", {"first": 0}, "B"),
        embedded("m3", {"smaller": 0.5}, "A"),
        embedded("m4", {"larger": 0.5}, "C"),
    ]
    calls: dict[str, list[str]] = {}

    async def process() -> None:
        for event in shop:
            store = TurnStore(vectors, turns)
            await IndexStage(store, "catalog", 2, THRESHOLD).handle(event, CONTEXT)
            calls[event.subject] = [call for call in store.calls if call in FLAGGING]

    turns = Turns(0)
    await turns.conduct(process())

    assert calls == {
        "m1": ["scroll", "upsert", "search"],
        "m2": ["scroll", "upsert", "search"],
        "m3": ["scroll", "upsert", "search", "annotate", "scroll", "search"],
        "m4": ["scroll", "upsert", "search", "annotate", "search"],
    }

"""Generations of a catalog: which one is written, which one is searched, and why none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.vectors.generations import INDEXED, Generations
from core.vectors.port import CollectionSpec, VectorStore
from tests.contracts.vector_factories import VECTORS, OpenVectors
from tests.turns import Turns, TurnStore

ALIAS = "shop.products"
ORDERS = 20


@pytest.fixture
def open_vectors(tmp_path: Path) -> OpenVectors:
    """Opens the same empty store each time, as one process of several would."""
    (memory,) = [adapter for adapter in VECTORS if adapter.name == "qdrant-memory"]
    return memory.at(tmp_path)


@pytest.fixture
async def vectors(open_vectors: OpenVectors) -> VectorStore:
    return await open_vectors()


async def make(vectors: VectorStore, **embedders: str) -> None:
    """The generations of these numbers, such as ``g1="old"``."""
    for number, embedder in embedders.items():
        await vectors.create(CollectionSpec(f"{ALIAS}__{number}", embedder, 2))


async def test_the_first_generation_serves_at_once(vectors: VectorStore) -> None:
    name = await Generations(vectors, ALIAS).writable("e", 2)

    assert name == "shop.products__g1"
    assert (await vectors.collections())[name] == CollectionSpec(name, "e", 2, INDEXED)
    assert await vectors.serving(ALIAS) == name


async def test_what_is_there_is_written_to_again(vectors: VectorStore) -> None:
    generations = Generations(vectors, ALIAS)

    names = [await generations.writable("e", 2) for _ in range(2)]

    assert names == ["shop.products__g1"] * 2
    assert list(await vectors.collections()) == ["shop.products__g1"]


async def test_a_new_embedder_starts_a_generation_that_does_not_serve(vectors: VectorStore) -> None:
    generations = Generations(vectors, ALIAS)
    await generations.writable("old", 2)

    name = await generations.writable("new", 3)

    assert name == "shop.products__g2"
    assert await vectors.serving(ALIAS) == "shop.products__g1"


async def test_the_newest_generation_of_the_embedder_is_written(vectors: VectorStore) -> None:
    await make(vectors, g1="ours", g2="ours", g3="other", g9="ours", g10="ours", g11="other")

    assert await Generations(vectors, ALIAS).writable("ours", 2) == "shop.products__g10"
    assert await Generations(vectors, ALIAS).writable("new", 2) == "shop.products__g12"


@pytest.mark.parametrize(
    "name", ["shop.products", "shop.products__gx", "shop.products__g7_old", "shop-products__g7"]
)
async def test_other_collections_are_no_generations(name: str, vectors: VectorStore) -> None:
    await vectors.create(CollectionSpec(name, "e", 2))

    assert await Generations(vectors, f"{ALIAS}.x").writable("e", 2) == "shop.products.x__g1"
    if name != ALIAS:
        assert await Generations(vectors, ALIAS).writable("e", 2) == "shop.products__g1"


async def test_a_catalog_that_serves_nothing_is_not_searched(vectors: VectorStore) -> None:
    await make(vectors, g1="e")

    assert await Generations(vectors, ALIAS).searchable("e") == (None, "no_catalog")


async def test_a_generation_that_was_dropped_is_not_searched(vectors: VectorStore) -> None:
    generations = Generations(vectors, ALIAS)
    await vectors.drop(await generations.writable("e", 2))

    assert await generations.searchable("e") == (None, "no_catalog")


async def test_the_serving_generation_is_searched_not_the_newest(vectors: VectorStore) -> None:
    await make(vectors, g1="e", g2="e")
    await vectors.serve(ALIAS, "shop.products__g1")

    assert await Generations(vectors, ALIAS).searchable("e") == ("shop.products__g1", None)


async def test_vectors_of_another_embedder_are_not_searched(vectors: VectorStore) -> None:
    generations = Generations(vectors, ALIAS)
    await generations.writable("e", 2)

    assert await generations.searchable("newer") == (None, "other_embedder")


@pytest.mark.parametrize("embedders", [("e", "e"), ("old", "new")])
@pytest.mark.parametrize("seed", range(ORDERS))
async def test_processes_that_begin_together_find_a_generation_of_their_embedder(
    embedders: tuple[str, str], seed: int, open_vectors: OpenVectors
) -> None:
    turns, written = Turns(seed), {}

    async def process(embedder: str) -> None:
        generations = Generations(TurnStore(await open_vectors(), turns), ALIAS)
        written[embedder] = await generations.writable(embedder, 2)

    await turns.conduct(*map(process, embedders))

    vectors = await open_vectors()
    made = {spec.name: spec.embedder for spec in (await vectors.collections()).values()}
    assert made == {name: embedder for embedder, name in written.items()}
    assert sorted(made) == [f"{ALIAS}__g{1 + n}" for n in range(len(set(embedders)))]
    assert await vectors.serving(ALIAS) in made

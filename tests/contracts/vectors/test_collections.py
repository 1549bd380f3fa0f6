"""What every vector store promises about collections: embedders, aliases, restarts, crashes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from core.errors import CollectionMissingError, EmbedderMismatchError
from core.vectors.port import CollectionSpec, Filter, VectorStore
from tests.contracts import vector_writer
from tests.contracts.vector_factories import VECTORS, OpenVectors, VectorAdapter
from tests.contracts.vectors.samples import SPEC, found_for, id_of, point_of, unit, upsert

_ROOT = Path(__file__).parents[3]


async def test_vectors_of_another_embedder_are_refused(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1))

    with pytest.raises(EmbedderMismatchError, match=r"fashion-1.*fashion-2.*rebuild"):
        await vectors.upsert("items", "fashion-2", [point_of(2)])
    with pytest.raises(EmbedderMismatchError, match=r"fashion-1.*fashion-2.*rebuild"):
        await vectors.search("items", "fashion-2", unit(1, 0, 0, 0)[None], 1, 0.0)

    assert await vectors.count("items") == 1


async def test_creating_again_keeps_what_is_there(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, category="dress", color="red"))

    await vectors.create(SPEC)
    await vectors.create(CollectionSpec("items", "fashion-1", 4, ("color",)))

    assert await vectors.count("items") == 1
    assert await vectors.facet("items", "color") == {"red": 1}
    assert await vectors.facet("items", "category") == {"dress": 1}
    known = (await vectors.collections())["items"]
    assert (known.embedder, known.dim) == ("fashion-1", 4)
    assert set(known.indexed) == {"category", "product.id", "color"}


async def test_creating_for_another_embedder_is_refused(vectors: VectorStore) -> None:
    for embedder, dim in (("fashion-2", 4), ("fashion-1", 8)):
        with pytest.raises(EmbedderMismatchError, match="rebuild"):
            await vectors.create(CollectionSpec("items", embedder, dim))

    assert (await vectors.collections())["items"] == SPEC


async def test_collections_are_told_with_their_specs(vectors: VectorStore) -> None:
    media = CollectionSpec("media__g2", "lite-3", 16)
    await vectors.create(media)

    assert await vectors.collections() == {"items": SPEC, "media__g2": media}


async def test_a_name_that_not_every_store_can_hold_is_refused(vectors: VectorStore) -> None:
    for name in ("", "..", "a/b", "a b", ".a", "x" * 200, "ü"):
        with pytest.raises(ValueError, match="name"):
            await vectors.create(CollectionSpec(name, "fashion-1", 4))
        with pytest.raises(ValueError, match="name"):
            await vectors.serve(name, "items")


async def test_a_collection_that_is_not_there_is_waited_for(vectors: VectorStore) -> None:
    query = unit(1, 0, 0, 0)[None]

    for call in (
        vectors.upsert("gone", "fashion-1", [point_of(1)]),
        vectors.search("gone", "fashion-1", query, 1, 0.0),
        vectors.annotate("gone", {id_of(1): {"a": "b"}}),
        vectors.scroll("gone", None, 1),
        vectors.facet("gone", "category"),
        vectors.count("gone"),
        vectors.delete("gone", Filter(must={"category": ["dress"]})),
        vectors.serve("catalog", "gone"),
    ):
        with pytest.raises(CollectionMissingError, match="gone"):
            await call

    assert await vectors.serving("catalog") is None


async def test_a_dropped_collection_is_gone_and_its_name_free(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1))

    await vectors.drop("items")
    await vectors.drop("items")
    assert await vectors.collections() == {}
    await vectors.create(CollectionSpec("items", "fashion-2", 8))

    assert await vectors.count("items") == 0


async def test_an_alias_points_where_it_was_told_last(vectors: VectorStore) -> None:
    await vectors.create(CollectionSpec("items2", "fashion-1", 4))
    assert await vectors.serving("catalog") is None

    await vectors.serve("catalog", "items")
    await vectors.serve("media", "items")
    await vectors.serve("catalog", "items2")

    assert await vectors.serving("catalog") == "items2"
    assert await vectors.serving("media") == "items"
    assert await vectors.serving("other") is None


async def test_an_alias_goes_with_its_collection(vectors: VectorStore) -> None:
    await vectors.serve("catalog", "items")

    await vectors.drop("items")

    assert await vectors.serving("catalog") is None


async def test_a_reader_sees_the_old_collection_or_the_new_one(vectors: VectorStore) -> None:
    await vectors.create(CollectionSpec("items2", "fashion-1", 4))
    await vectors.serve("catalog", "items")
    seen = []

    async def move() -> None:
        for number in range(20):
            await vectors.serve("catalog", "items" if number % 2 else "items2")

    moving = asyncio.create_task(move())
    while not moving.done():
        seen.append(await vectors.serving("catalog"))
        await asyncio.sleep(0)  # a store in memory may answer without giving way
    await moving

    assert set(seen) <= {"items", "items2"}
    assert await vectors.serving("catalog") == "items"


async def test_everything_outlives_the_store(open_vectors: OpenVectors) -> None:
    first = await open_vectors()
    await first.create(SPEC)
    await upsert(first, point_of(1, category="dress"), point_of(2, category="bag"))
    await first.delete("items", Filter(must={"category": ["bag"]}))
    await first.serve("catalog", "items")
    await first.close()

    second = await open_vectors()

    assert await second.collections() == {"items": SPEC}
    assert await second.serving("catalog") == "items"
    assert await found_for(second, unit(1, 0, 0, 0)) == [1]
    assert await second.facet("items", "category") == {"dress": 1}
    with pytest.raises(EmbedderMismatchError):
        await second.upsert("items", "fashion-2", [point_of(2)])


@pytest.mark.parametrize(
    "adapter",
    [one for one in VECTORS if one.address is not None],
    ids=lambda adapter: adapter.name,
    indirect=True,
)
async def test_killing_a_writer_loses_nothing_that_it_was_promised(
    adapter: VectorAdapter, open_vectors: OpenVectors, tmp_path: Path
) -> None:
    assert adapter.address is not None
    for round_number in range(2):
        writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.contracts.vector_writer", adapter.address(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
        )
        assert writer.stdout is not None
        promised = {(await writer.stdout.readline()).decode().strip() for _ in range(50)}

        writer.kill()
        rest = (await writer.stdout.read()).decode()
        promised |= {one.strip() for one in rest.splitlines(keepends=True) if one.endswith("\n")}
        await writer.wait()

        store = await open_vectors()
        assert set(await store.collections()) <= {"written", "passing"}
        points, _ = await store.scroll("written", None, 100_000)
        assert promised <= {point.id for point in points}, f"round {round_number}"
        for point in points:
            assert point.vector == pytest.approx(vector_writer.vector(point.id), abs=1e-6)
        counts = await store.facet("written", "writer")
        assert sum(counts.values()) == len(points)
        await store.create(vector_writer.PASSING)
        assert await store.count("passing") == 0
        await store.drop("passing")
        await store.close()

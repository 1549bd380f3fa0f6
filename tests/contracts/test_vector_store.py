"""What every vector store promises."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import CollectionMissingError, EmbedderMismatchError
from core.vectors.port import CollectionSpec, Filter, Point, Vectors, VectorStore
from tests.contracts import vector_writer
from tests.contracts.vector_factories import VECTORS, OpenVectors, VectorAdapter

_ROOT = Path(__file__).parents[2]
_SPEC = CollectionSpec("items", "fashion-1", 4, ("category", "product.id"))


@pytest.fixture(params=VECTORS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> VectorAdapter:
    found: VectorAdapter = request.param
    return found


@pytest.fixture
async def open_vectors(adapter: VectorAdapter, tmp_path: Path) -> AsyncIterator[OpenVectors]:
    """Opens the test's store; again for a restart. Closed by the test's end."""
    connect = adapter.at(tmp_path)
    async with AsyncExitStack() as stack:

        async def open_one() -> VectorStore:
            vectors = await connect()
            stack.push_async_callback(vectors.close)
            return vectors

        yield open_one


@pytest.fixture
async def vectors(open_vectors: OpenVectors) -> VectorStore:
    """With the empty collection ``items``."""
    store = await open_vectors()
    await store.create(_SPEC)
    return store


def _id(number: int) -> str:
    return str(uuid.UUID(int=number))


def _unit(*numbers: float) -> Vectors:
    vector = np.asarray(numbers, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def _point(number: int, vector: Vectors | None = None, **payload: Any) -> Point:
    return Point(_id(number), _unit(1, 0, 0, 0) if vector is None else vector, payload)


async def _upsert(vectors: VectorStore, *points: Point) -> None:
    await vectors.upsert("items", "fashion-1", points)


async def _found(
    vectors: VectorStore,
    query: Vectors,
    limit: int = 10,
    min_score: float = -1.0,
    where: Filter | None = None,
) -> list[int]:
    hits = await vectors.search("items", "fashion-1", query[None], limit, min_score, where)
    return [uuid.UUID(hit.id).int for hit in hits[0]]


async def _all(
    vectors: VectorStore, where: Filter | None = None, page: int = 100
) -> Sequence[Point]:
    points, after = await vectors.scroll("items", where, page)
    while after is not None:
        more, after = await vectors.scroll("items", where, page, after)
        points += more
    return points


async def test_the_best_hits_come_first(vectors: VectorStore) -> None:
    await _upsert(
        vectors,
        _point(1, _unit(0, 1, 0, 0)),
        _point(2, _unit(1, 0, 0, 0)),
        _point(3, _unit(1, 1, 0, 0)),
        _point(4, _unit(-1, 0, 0, 0)),
    )

    [hits] = await vectors.search("items", "fashion-1", _unit(1, 0.1, 0, 0)[None], 3, -1.0)

    assert [hit.id for hit in hits] == [_id(2), _id(3), _id(1)]
    assert [hit.score for hit in hits] == pytest.approx([0.995, 0.7739, 0.0995], abs=1e-3)


async def test_every_row_gets_its_own_hits(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, _unit(1, 0, 0, 0)), _point(2, _unit(0, 1, 0, 0)))
    queries = np.stack([_unit(0, 1, 0, 0), _unit(0, 0, 1, 0), _unit(1, 0, 0, 0)] * 40)

    rows = await vectors.search("items", "fashion-1", queries, 1, 0.5)

    assert [[hit.id for hit in hits] for hits in rows] == [[_id(2)], [], [_id(1)]] * 40


async def test_no_rows_no_limit_no_points_no_hits(vectors: VectorStore) -> None:
    none = np.zeros((0, 4), np.float32)

    assert await vectors.search("items", "fashion-1", none, 10, 0.0) == []
    assert await _found(vectors, _unit(1, 0, 0, 0)) == []
    await _upsert(vectors, _point(1))
    assert await _found(vectors, _unit(1, 0, 0, 0), limit=0) == []


async def test_hits_below_the_least_score_are_left_out(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, _unit(3, 4, 0, 0)), _point(2, _unit(4, 3, 0, 0)))
    query = _unit(1, 0, 0, 0)  # 0.6 and 0.8

    assert await _found(vectors, query, min_score=0.59) == [2, 1]
    assert await _found(vectors, query, min_score=0.61) == [2]
    assert await _found(vectors, query, min_score=0.81) == []


async def test_ties_are_ordered_by_id_whatever_came_first(vectors: VectorStore) -> None:
    numbers = [7, 3, 11, 5, 2, 13]
    await _upsert(vectors, *(_point(number) for number in numbers))

    assert await _found(vectors, _unit(1, 0, 0, 0)) == sorted(numbers)


async def test_ties_at_the_last_place_go_to_the_smallest_ids(vectors: VectorStore) -> None:
    ties = np.random.default_rng(0).permutation(np.arange(1, 120))
    await _upsert(vectors, _point(500, _unit(1, 0.001, 0, 0)))
    await _upsert(vectors, *(_point(int(number), _unit(1, 1, 0, 0)) for number in ties))

    for limit in (1, 2, 3, 10, 50, 120, 200):
        found = await _found(vectors, _unit(1, 0, 0, 0), limit)

        assert found == [500, *range(1, min(limit, 120))]


async def test_payloads_come_back_as_they_were(vectors: VectorStore) -> None:
    payload: dict[str, Any] = {
        "product": {"id": "p1", "title": "Kleid „Löwe“ 日本 🎽", "price": 19.99, "gone": None},
        "category": "dress",
        "box": [0.5, 1, -3],
        "flags": {"duplicate": False, "nested": {"deep": [{"x": None}, []]}},
        "a.b": "a dot",
        "": "no name",
        "none": None,
        "large": 2**53,
    }
    await _upsert(vectors, Point(_id(1), _unit(1, 0, 0, 0), payload), _point(2))

    [hits] = await vectors.search("items", "fashion-1", _unit(1, 0, 0, 0)[None], 2, 0.0)

    assert [hit.payload for hit in hits] == [payload, {}]
    assert [point.payload for point in await _all(vectors)] == [payload, {}]


async def test_a_point_of_the_same_id_is_replaced_whole(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, _unit(1, 0, 0, 0), category="dress", color="red"))

    await _upsert(vectors, _point(1, _unit(0, 1, 0, 0), category="bag"))

    [point] = await _all(vectors)
    assert point.payload == {"category": "bag"}
    assert point.vector == pytest.approx([0, 1, 0, 0])
    assert await vectors.facet("items", "category") == {"bag": 1}


async def test_of_two_points_of_one_id_the_later_stays(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, n=1), _point(2, n=2), _point(1, n=3))

    assert [point.payload for point in await _all(vectors)] == [{"n": 3}, {"n": 2}]


async def test_nothing_to_upsert_is_fine(vectors: VectorStore) -> None:
    await _upsert(vectors)

    assert await vectors.count("items") == 0


async def test_filters_choose_by_value(vectors: VectorStore) -> None:
    await _upsert(
        vectors,
        _point(1, category="dress", product={"id": "p1"}, color="red"),
        _point(2, category="dress", product={"id": "p2"}, color="blue"),
        _point(3, category="bag", product={"id": "p1"}),
        _point(4, category=["bag", "belt"]),
        _point(5),
    )
    cases: list[tuple[Filter, list[int]]] = [
        (Filter(), [1, 2, 3, 4, 5]),
        (Filter(must={"category": ["dress"]}), [1, 2]),
        (Filter(must={"category": ["dress", "belt"]}), [1, 2, 4]),
        (Filter(must={"product.id": ["p1"]}), [1, 3]),
        (Filter(must={"product.id": ["p1"], "category": ["bag"]}), [3]),
        (Filter(must_not={"category": ["dress"]}), [3, 4, 5]),
        (Filter(must_not={"category": ["dress"], "product.id": ["p1"]}), [4, 5]),
        (Filter(must={"category": ["dress"]}, must_not={"product.id": ["p1"]}), [2]),
        (Filter(must={"color": ["red", "green"]}), [1]),
        (Filter(must={"category": []}), []),
        (Filter(must_not={"category": []}), [1, 2, 3, 4, 5]),
        (Filter(must={"category": ["' OR 1=1", "дрес"]}), []),
    ]

    for where, expected in cases:
        assert await _found(vectors, _unit(1, 0, 0, 0), where=where) == expected
        assert [uuid.UUID(point.id).int for point in await _all(vectors, where)] == expected
        assert await vectors.count("items", where) == len(expected)


async def test_scrolling_gives_every_point_once_by_id(vectors: VectorStore) -> None:
    rng = np.random.default_rng(1)
    numbers = [int(number) for number in rng.permutation(25) + 1]
    points = {number: _point(number, _unit(*rng.normal(size=4)), n=number) for number in numbers}
    await _upsert(vectors, *points.values())

    found = await _all(vectors, page=7)

    assert [point.id for point in found] == [_id(number) for number in range(1, 26)]
    for number, point in enumerate(found, start=1):
        assert point.payload == {"n": number}
        assert point.vector.dtype == np.float32
        assert point.vector == pytest.approx(points[number].vector, abs=1e-6)


async def test_a_scroll_survives_what_is_removed_between_pages(vectors: VectorStore) -> None:
    await _upsert(vectors, *(_point(number, category=str(number)) for number in range(1, 7)))

    first, after = await vectors.scroll("items", None, 2)
    await vectors.delete("items", Filter(must={"category": ["2", "3"]}))
    rest, end = await vectors.scroll("items", None, 10, after)

    assert [point.id for point in (*first, *rest)] == [_id(n) for n in (1, 2, 4, 5, 6)]
    assert end is None


async def test_facets_count_values_most_first(vectors: VectorStore) -> None:
    await _upsert(
        vectors,
        *(_point(number, category="bag") for number in range(1, 4)),
        *(_point(number, category="dress", product={"id": "p1"}) for number in range(4, 9)),
        _point(9, category="belt", product={"id": "Größe 日"}),
        _point(10),
    )

    counts = await vectors.facet("items", "category")

    assert list(counts.items()) == [("dress", 5), ("bag", 3), ("belt", 1)]
    assert await vectors.facet("items", "product.id") == {"p1": 5, "Größe 日": 1}
    assert await vectors.facet("items", "category", limit=1) == {"dress": 5}
    with_product = Filter(must={"product.id": ["p1"]})
    assert await vectors.facet("items", "category", with_product) == {"dress": 5}


async def test_a_facet_needs_an_index(vectors: VectorStore) -> None:
    with pytest.raises(ValueError, match="color"):
        await vectors.facet("items", "color")


async def test_deleting_removes_what_matches(vectors: VectorStore) -> None:
    await _upsert(
        vectors,
        _point(1, category="dress", product={"id": "p1"}),
        _point(2, category="dress", product={"id": "p2"}),
        _point(3, category="bag"),
    )

    await vectors.delete(
        "items", Filter(must={"category": ["dress"]}, must_not={"product.id": ["p2"]})
    )
    await vectors.delete("items", Filter(must={"category": ["nothing like it"]}))

    assert await _found(vectors, _unit(1, 0, 0, 0)) == [2, 3]
    assert await vectors.facet("items", "category") == {"bag": 1, "dress": 1}


async def test_a_delete_of_everything_is_refused(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1))

    for where in (Filter(), Filter(must_not={"category": []})):
        with pytest.raises(ValueError, match="all"):
            await vectors.delete("items", where)

    assert await vectors.count("items") == 1


async def test_annotating_merges_into_what_is_there(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, category="dress", old=1), _point(2, category="bag"))

    await vectors.annotate(
        "items",
        {
            _id(1): {"duplicate_of": _id(2), "old": None, "product": {"id": "p1"}},
            _id(2): {"category": "belt"},
            _id(3): {"category": "gone"},
        },
    )
    await vectors.annotate("items", {})

    first, second = await _all(vectors)
    assert first.payload == {
        "category": "dress",
        "duplicate_of": _id(2),
        "product": {"id": "p1"},
    }
    assert first.vector == pytest.approx([1, 0, 0, 0])
    assert second.payload == {"category": "belt"}
    assert await vectors.facet("items", "category") == {"belt": 1, "dress": 1}


async def test_vectors_of_another_embedder_are_refused(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1))

    with pytest.raises(EmbedderMismatchError, match=r"fashion-1.*fashion-2.*rebuild"):
        await vectors.upsert("items", "fashion-2", [_point(2)])
    with pytest.raises(EmbedderMismatchError, match=r"fashion-1.*fashion-2.*rebuild"):
        await vectors.search("items", "fashion-2", _unit(1, 0, 0, 0)[None], 1, 0.0)

    assert await vectors.count("items") == 1


async def test_what_is_no_vector_of_the_collection_is_refused(vectors: VectorStore) -> None:
    for vector in (
        np.ones(3, np.float32),
        np.ones(5, np.float32),
        np.ones(0, np.float32),
        np.ones((1, 4), np.float32),
        np.array([1, np.nan, 0, 0], np.float32),
        np.array([1, np.inf, 0, 0], np.float32),
    ):
        with pytest.raises(ValueError, match="vector"):
            await _upsert(vectors, _point(1), _point(2, vector))
        with pytest.raises(ValueError, match="vector"):
            await vectors.search("items", "fashion-1", vector[None], 1, 0.0)

    assert await vectors.count("items") == 0


async def test_a_payload_that_is_no_json_is_refused(vectors: VectorStore) -> None:
    payloads: list[dict[str, Any]] = [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}]

    for payload in payloads:
        with pytest.raises(ValueError, match="payload"):
            await _upsert(vectors, _point(1), Point(_id(2), _unit(1, 0, 0, 0), payload))

    assert await vectors.count("items") == 0


async def test_an_id_that_is_no_uuid_is_refused(vectors: VectorStore) -> None:
    with pytest.raises(ValueError, match="item-1"):
        await _upsert(vectors, _point(1), Point("item-1", _unit(1, 0, 0, 0), {}))

    assert await vectors.count("items") == 0


async def test_creating_again_keeps_what_is_there(vectors: VectorStore) -> None:
    await _upsert(vectors, _point(1, category="dress", color="red"))

    await vectors.create(_SPEC)
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

    assert (await vectors.collections())["items"] == _SPEC


async def test_collections_are_told_with_their_specs(vectors: VectorStore) -> None:
    media = CollectionSpec("media__g2", "lite-3", 16)
    await vectors.create(media)

    assert await vectors.collections() == {"items": _SPEC, "media__g2": media}


async def test_a_name_that_not_every_store_can_hold_is_refused(vectors: VectorStore) -> None:
    for name in ("", "..", "a/b", "a b", ".a", "x" * 200, "ü"):
        with pytest.raises(ValueError, match="name"):
            await vectors.create(CollectionSpec(name, "fashion-1", 4))
        with pytest.raises(ValueError, match="name"):
            await vectors.serve(name, "items")


async def test_a_collection_that_is_not_there_is_waited_for(vectors: VectorStore) -> None:
    query = _unit(1, 0, 0, 0)[None]

    for call in (
        vectors.upsert("gone", "fashion-1", [_point(1)]),
        vectors.search("gone", "fashion-1", query, 1, 0.0),
        vectors.annotate("gone", {_id(1): {"a": "b"}}),
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
    await _upsert(vectors, _point(1))

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
    await moving

    assert set(seen) <= {"items", "items2"}
    assert await vectors.serving("catalog") == "items"


async def test_concurrent_writers_and_readers_see_whole_points(vectors: VectorStore) -> None:
    async def write(writer: int) -> None:
        for number in range(10):
            point = _point(1000 * writer + number + 1, category=f"w{writer}")
            await _upsert(vectors, point)
            found = await vectors.count("items", Filter(must={"category": [f"w{writer}"]}))
            assert found == number + 1

    await asyncio.gather(*(write(writer) for writer in range(8)))

    assert await vectors.count("items") == 80


async def test_a_cancelled_call_harms_no_other(vectors: VectorStore) -> None:
    calls = [asyncio.create_task(_upsert(vectors, _point(n))) for n in range(1, 21)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    await asyncio.wait(calls)

    found = {uuid.UUID(point.id).int for point in await _all(vectors)}

    assert set(range(2, 21, 2)) <= found


async def test_everything_outlives_the_store(open_vectors: OpenVectors) -> None:
    first = await open_vectors()
    await first.create(_SPEC)
    await _upsert(first, _point(1, category="dress"), _point(2, category="bag"))
    await first.delete("items", Filter(must={"category": ["bag"]}))
    await first.serve("catalog", "items")
    await first.close()

    second = await open_vectors()

    assert await second.collections() == {"items": _SPEC}
    assert await second.serving("catalog") == "items"
    assert await _found(second, _unit(1, 0, 0, 0)) == [1]
    assert await second.facet("items", "category") == {"dress": 1}
    with pytest.raises(EmbedderMismatchError):
        await second.upsert("items", "fashion-2", [_point(2)])


async def test_killing_a_writer_loses_nothing_that_it_was_promised(
    adapter: VectorAdapter, open_vectors: OpenVectors, tmp_path: Path
) -> None:
    if adapter.address is None:
        pytest.skip("this store lives in one process")
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

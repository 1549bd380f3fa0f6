"""What every vector store promises about points: search, filters, payloads, changes."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import numpy as np
import pytest

from core.vectors.port import Filter, Point, VectorStore
from tests.contracts.vectors.samples import everything, found_for, id_of, point_of, unit, upsert


async def test_the_best_hits_come_first(vectors: VectorStore) -> None:
    await upsert(
        vectors,
        point_of(1, unit(0, 1, 0, 0)),
        point_of(2, unit(1, 0, 0, 0)),
        point_of(3, unit(1, 1, 0, 0)),
        point_of(4, unit(-1, 0, 0, 0)),
    )

    [hits] = await vectors.search("items", "fashion-1", unit(1, 0.1, 0, 0)[None], 3, -1.0)

    assert [hit.id for hit in hits] == [id_of(2), id_of(3), id_of(1)]
    assert [hit.score for hit in hits] == pytest.approx([0.995, 0.7739, 0.0995], abs=1e-3)


async def test_every_row_gets_its_own_hits(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, unit(1, 0, 0, 0)), point_of(2, unit(0, 1, 0, 0)))
    queries = np.stack([unit(0, 1, 0, 0), unit(0, 0, 1, 0), unit(1, 0, 0, 0)] * 40)

    rows = await vectors.search("items", "fashion-1", queries, 1, 0.5)

    assert [[hit.id for hit in hits] for hits in rows] == [[id_of(2)], [], [id_of(1)]] * 40


async def test_no_rows_no_limit_no_points_no_hits(vectors: VectorStore) -> None:
    none = np.zeros((0, 4), np.float32)

    assert await vectors.search("items", "fashion-1", none, 10, 0.0) == []
    assert await found_for(vectors, unit(1, 0, 0, 0)) == []
    await upsert(vectors, point_of(1))
    assert await found_for(vectors, unit(1, 0, 0, 0), limit=0) == []


async def test_hits_below_the_least_score_are_left_out(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, unit(3, 4, 0, 0)), point_of(2, unit(4, 3, 0, 0)))
    query = unit(1, 0, 0, 0)  # 0.6 and 0.8

    assert await found_for(vectors, query, min_score=0.59) == [2, 1]
    assert await found_for(vectors, query, min_score=0.61) == [2]
    assert await found_for(vectors, query, min_score=0.81) == []


async def test_a_score_at_the_threshold_has_reached_it(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, unit(1, 0, 0, 0)))

    assert await found_for(vectors, unit(1, 0, 0, 0), min_score=1.0) == [1]


async def test_ties_are_ordered_by_id_whatever_came_first(vectors: VectorStore) -> None:
    numbers = [7, 3, 11, 5, 2, 13]
    await upsert(vectors, *(point_of(number) for number in numbers))

    assert await found_for(vectors, unit(1, 0, 0, 0)) == sorted(numbers)


async def test_ties_at_the_last_place_go_to_the_smallest_ids(vectors: VectorStore) -> None:
    ties = np.random.default_rng(0).permutation(np.arange(1, 120))
    await upsert(vectors, point_of(500, unit(1, 0.001, 0, 0)))
    await upsert(vectors, *(point_of(int(number), unit(1, 1, 0, 0)) for number in ties))

    for limit in (1, 2, 3, 10, 50, 120, 200):
        found = await found_for(vectors, unit(1, 0, 0, 0), limit)

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
    await upsert(vectors, Point(id_of(1), unit(1, 0, 0, 0), payload), point_of(2))

    [hits] = await vectors.search("items", "fashion-1", unit(1, 0, 0, 0)[None], 2, 0.0)

    assert [hit.payload for hit in hits] == [payload, {}]
    assert [point.payload for point in await everything(vectors)] == [payload, {}]


async def test_a_point_of_the_same_id_is_replaced_whole(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, unit(1, 0, 0, 0), category="dress", color="red"))

    await upsert(vectors, point_of(1, unit(0, 1, 0, 0), category="bag"))

    [point] = await everything(vectors)
    assert point.payload == {"category": "bag"}
    assert point.vector == pytest.approx([0, 1, 0, 0])
    assert await vectors.facet("items", "category") == {"bag": 1}


async def test_of_two_points_of_one_id_the_later_stays(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, n=1), point_of(2, n=2), point_of(1, n=3))

    assert [point.payload for point in await everything(vectors)] == [{"n": 3}, {"n": 2}]


async def test_nothing_to_upsert_is_fine(vectors: VectorStore) -> None:
    await upsert(vectors)

    assert await vectors.count("items") == 0


async def test_filters_choose_by_value(vectors: VectorStore) -> None:
    await upsert(
        vectors,
        point_of(1, category="dress", product={"id": "p1"}, color="red"),
        point_of(2, category="dress", product={"id": "p2"}, color="blue"),
        point_of(3, category="bag", product={"id": "p1"}),
        point_of(4, category=["bag", "belt"]),
        point_of(5),
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
        assert await found_for(vectors, unit(1, 0, 0, 0), where=where) == expected
        assert [uuid.UUID(point.id).int for point in await everything(vectors, where)] == expected
        assert await vectors.count("items", where) == len(expected)


async def test_scrolling_gives_every_point_once_byid_of(vectors: VectorStore) -> None:
    rng = np.random.default_rng(1)
    numbers = [int(number) for number in rng.permutation(25) + 1]
    points = {number: point_of(number, unit(*rng.normal(size=4)), n=number) for number in numbers}
    await upsert(vectors, *points.values())

    found = await everything(vectors, page=7)

    assert [point.id for point in found] == [id_of(number) for number in range(1, 26)]
    for number, point in enumerate(found, start=1):
        assert point.payload == {"n": number}
        assert point.vector.dtype == np.float32
        assert point.vector == pytest.approx(points[number].vector, abs=1e-6)


async def test_a_scroll_survives_what_is_removed_between_pages(vectors: VectorStore) -> None:
    await upsert(vectors, *(point_of(number, category=str(number)) for number in range(1, 7)))

    first, after = await vectors.scroll("items", None, 2)
    await vectors.delete("items", Filter(must={"category": ["2", "3"]}))
    rest, end = await vectors.scroll("items", None, 10, after)

    assert [point.id for point in (*first, *rest)] == [id_of(n) for n in (1, 2, 4, 5, 6)]
    assert end is None


async def test_facets_count_values_most_first(vectors: VectorStore) -> None:
    await upsert(
        vectors,
        *(point_of(number, category="bag") for number in range(1, 4)),
        *(point_of(number, category="dress", product={"id": "p1"}) for number in range(4, 9)),
        point_of(9, category="belt", product={"id": "Größe 日"}),
        point_of(10),
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
    await upsert(
        vectors,
        point_of(1, category="dress", product={"id": "p1"}),
        point_of(2, category="dress", product={"id": "p2"}),
        point_of(3, category="bag"),
    )

    await vectors.delete(
        "items", Filter(must={"category": ["dress"]}, must_not={"product.id": ["p2"]})
    )
    await vectors.delete("items", Filter(must={"category": ["nothing like it"]}))

    assert await found_for(vectors, unit(1, 0, 0, 0)) == [2, 3]
    assert await vectors.facet("items", "category") == {"bag": 1, "dress": 1}


async def test_a_delete_of_everything_is_refused(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1))

    for where in (Filter(), Filter(must_not={"category": []})):
        with pytest.raises(ValueError, match="all"):
            await vectors.delete("items", where)

    assert await vectors.count("items") == 1


async def test_annotating_merges_into_what_is_there(vectors: VectorStore) -> None:
    await upsert(vectors, point_of(1, category="dress", old=1), point_of(2, category="bag"))

    await vectors.annotate(
        "items",
        {
            id_of(1): {"duplicate_of": id_of(2), "old": None, "product": {"id": "p1"}},
            id_of(2): {"category": "belt"},
            id_of(3): {"category": "gone"},
        },
    )
    await vectors.annotate("items", {})

    first, second = await everything(vectors)
    assert first.payload == {
        "category": "dress",
        "duplicate_of": id_of(2),
        "product": {"id": "p1"},
    }
    assert first.vector == pytest.approx([1, 0, 0, 0])
    assert second.payload == {"category": "belt"}
    assert await vectors.facet("items", "category") == {"belt": 1, "dress": 1}


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
            await upsert(vectors, point_of(1), point_of(2, vector))
        with pytest.raises(ValueError, match="vector"):
            await vectors.search("items", "fashion-1", vector[None], 1, 0.0)

    assert await vectors.count("items") == 0


async def test_a_payload_that_is_no_json_is_refused(vectors: VectorStore) -> None:
    payloads: list[dict[str, Any]] = [{"x": float("nan")}, {"x": {1, 2}}, {"x": "\ud800"}]

    for payload in payloads:
        with pytest.raises(ValueError, match="payload"):
            await upsert(vectors, point_of(1), Point(id_of(2), unit(1, 0, 0, 0), payload))

    assert await vectors.count("items") == 0


async def test_an_id_that_is_no_uuid_is_refused(vectors: VectorStore) -> None:
    with pytest.raises(ValueError, match="item-1"):
        await upsert(vectors, point_of(1), Point("item-1", unit(1, 0, 0, 0), {}))

    assert await vectors.count("items") == 0


async def test_concurrent_writers_and_readers_see_whole_points(vectors: VectorStore) -> None:
    async def write(writer: int) -> None:
        for number in range(10):
            point = point_of(1000 * writer + number + 1, category=f"w{writer}")
            await upsert(vectors, point)
            found = await vectors.count("items", Filter(must={"category": [f"w{writer}"]}))
            assert found == number + 1

    await asyncio.gather(*(write(writer) for writer in range(8)))

    assert await vectors.count("items") == 80


async def test_a_cancelled_call_harms_no_other(vectors: VectorStore) -> None:
    calls = [asyncio.create_task(upsert(vectors, point_of(n))) for n in range(1, 21)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    await asyncio.wait(calls)

    found = {uuid.UUID(point.id).int for point in await everything(vectors)}

    assert set(range(2, 21, 2)) <= found

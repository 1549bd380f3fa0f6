"""index and match against Qdrant's engine: distinct products, replacement, flags, embedders."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consumers.index import IndexStage
from consumers.match import MatchStage
from core.envelope import Event
from core.errors import SchemaError
from core.events import ItemsEmbedded, ItemsIndexed, ItemsMatched
from core.vectors.edge.store import EdgeVectorStore
from core.vectors.port import Filter
from tests.consumers.catalogs import CONTEXT, embedded, ident

CATALOG = "fashion_products"
FIRST = "fashion_products__g1"
SHOWN = {
    *("product_id", "product_name", "file_path", "filename", "class_name", "category", "title"),
    *("description", "product_type", "price", "tags", "collections"),
}


@pytest.fixture
async def vectors(tmp_path: Path) -> AsyncIterator[EdgeVectorStore]:
    store = await EdgeVectorStore.open(tmp_path / "vectors")
    yield store
    await store.close()


async def index(
    vectors: EdgeVectorStore, *events: Event[ItemsEmbedded], threshold: float = 0.999
) -> list[ItemsIndexed]:
    stage = IndexStage(vectors, CATALOG, 2, threshold)
    outputs = [(await stage.handle(event, CONTEXT))[0].data for event in events]
    return [data for data in outputs if isinstance(data, ItemsIndexed)]


async def match(
    vectors: EdgeVectorStore, event: Event[ItemsEmbedded], top_k: int = 5, least: float = 0.9
) -> ItemsMatched:
    (output,) = await MatchStage(vectors, CATALOG, top_k, least).handle(event, CONTEXT)
    assert isinstance(output.data, ItemsMatched)
    return output.data


async def test_the_best_crop_of_each_product_counts(vectors: EdgeVectorStore) -> None:
    await index(
        vectors,
        embedded("m1", {"a1": 3, "a2": 1}, product="A"),
        embedded("m2", {"b": 5}, product="B"),
        embedded("m3", {"far": 90}, product="C"),
    )

    matched = await match(vectors, embedded("q", {"query": 0}))

    found = matched.items[0].matches
    assert [m.product_id for m in found] == ["A", "B"]
    assert found[0].point_id == ident("a2")
    assert found[0].score == pytest.approx(0.99985, abs=1e-4)
    assert found[0].payload["title"] == "Product A"
    assert not {"media_id", "frame_id", "item_id"} & found[0].payload.keys()


async def test_a_product_with_many_crops_does_not_crowd_the_others_out(
    vectors: EdgeVectorStore,
) -> None:
    crops = {f"a{n}": n / 100 for n in range(50)}
    await index(vectors, embedded("m1", crops, product="A"), threshold=1.1)
    await index(vectors, embedded("m2", {"b": 10}, product="B"), threshold=1.1)

    matched = await match(vectors, embedded("q", {"query": 0}))

    assert [m.product_id for m in matched.items[0].matches] == ["A", "B"]


async def test_only_the_best_k_products_are_listed(vectors: EdgeVectorStore) -> None:
    shop = [embedded(f"m{n}", {f"i{n}": n}, product=f"P{n}") for n in range(8)]
    await index(vectors, *shop)

    matched = await match(vectors, embedded("q", {"query": 0}), top_k=3)

    assert [m.product_id for m in matched.items[0].matches] == ["P0", "P1", "P2"]


async def test_no_catalog_and_another_embedder_are_said_and_not_searched(
    vectors: EdgeVectorStore,
) -> None:
    assert (await match(vectors, embedded("q", {"query": 0}))).reason == "no_catalog"
    await index(vectors, embedded("m1", {"a": 0}, product="A"))

    other = await match(vectors, embedded("q", {"query": 0}, embedder="newer"))

    assert other.reason == "other_embedder"
    assert other.items[0].matches == []


async def test_a_new_embedder_starts_a_generation_and_leaves_the_serving_one_alone(
    vectors: EdgeVectorStore,
) -> None:
    await index(vectors, embedded("m1", {"a": 0}, product="A"))

    (indexed,) = await index(vectors, embedded("m1", {"n": 0}, product="A", embedder="newer"))

    assert indexed.catalog == "fashion_products__g2"
    assert await vectors.serving(CATALOG) == FIRST
    assert await vectors.count(FIRST) == 1


async def test_a_frame_indexed_again_replaces_what_it_left(vectors: EdgeVectorStore) -> None:
    await index(vectors, embedded("m1", {"old1": 0, "old2": 40}, product="A"))
    again = embedded("m1", {"new": 0}, product="A")

    await index(vectors, again, again)

    points, _ = await vectors.scroll(FIRST, None, 10)
    assert [point.id for point in points] == [ident("new")]


async def test_a_frame_that_has_lost_all_items_leaves_no_point(vectors: EdgeVectorStore) -> None:
    await index(vectors, embedded("m1", {"old": 0}, product="A"))

    await index(vectors, embedded("m1", {}, product="A"))

    assert await vectors.count(FIRST) == 0


@pytest.mark.parametrize("seed", range(4))
async def test_duplicate_flags_are_the_same_whatever_arrived_first(
    seed: int, vectors: EdgeVectorStore
) -> None:
    shop = [
        embedded("m1", {"x": 0, "y": 30}, product="B"),
        embedded("m2", {"z": 0.5}, product="A"),
        embedded("m3", {"w": 1.0}, product="C"),
        embedded("m4", {"v": 60}, product="D"),
    ]
    random.Random(seed).shuffle(shop)

    await index(vectors, *shop)

    assert await flags(vectors) == {ident("x"): ident("z"), ident("w"): ident("z")}
    assert await vectors.count(FIRST) == 5


async def test_what_repeated_a_removed_item_is_judged_anew(vectors: EdgeVectorStore) -> None:
    await index(
        vectors,
        embedded("m1", {"first": 0}, product="A"),
        embedded("m2", {"second": 0.5}, product="B"),
        embedded("m3", {"third": 1.0}, product="C"),
    )

    await index(vectors, embedded("m1", {"other": 90}, product="A"))

    assert await flags(vectors) == {ident("third"): ident("second")}


async def test_how_duplicates_are_kept_is_not_shown(vectors: EdgeVectorStore) -> None:
    await index(
        vectors,
        embedded("m1", {"b": 0}, product="B"),
        embedded("m2", {"a": 0.5}, product="A"),
        embedded("m3", {"c": 1}, product="C"),
    )

    matched = await match(vectors, embedded("q", {"query": 0}))

    shown = [set(found.payload) for found in matched.items[0].matches]
    assert len(shown) == 3
    assert shown == [SHOWN] * 3


async def test_an_item_that_was_crowded_out_does_not_change_the_others(
    vectors: EdgeVectorStore,
) -> None:
    await index(vectors, embedded("m1", {f"a{n}": n / 100 for n in range(50)}, product="A"))
    await index(vectors, embedded("m2", {"b": 10}, product="B"))
    await index(vectors, embedded("m3", {"c": 80}, product="C"))

    matched = await match(vectors, embedded("q", {"lonely": 80, "crowded": 0, "none": 200}))

    found = {item.item_id: [m.product_id for m in item.matches] for item in matched.items}
    assert found == {ident("lonely"): ["C"], ident("crowded"): ["A", "B"], ident("none"): []}


async def test_a_frame_without_items_is_matched_with_the_catalog_it_met(
    vectors: EdgeVectorStore,
) -> None:
    await index(vectors, embedded("m1", {"a": 0}, product="A"))

    matched = await match(vectors, embedded("q", {}))

    assert (matched.items, matched.catalog, matched.reason) == ([], FIRST, None)


async def test_a_catalog_event_without_product_is_refused(vectors: EdgeVectorStore) -> None:
    with pytest.raises(SchemaError, match="no product"):
        await index(vectors, embedded("m1", {"a": 0}))


async def flags(vectors: EdgeVectorStore) -> dict[str, str]:
    points, _ = await vectors.scroll(FIRST, Filter(), 50)
    return {
        point.id: point.payload["duplicate_of"]
        for point in points
        if point.payload.get("duplicate_of")
    }

"""What is particular to vectors on a Qdrant server: who answers there, and who shares it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import AsyncQdrantClient, models

from core.errors import (
    CollectionMissingError,
    EmbedderMismatchError,
    OutageError,
    SettingsError,
    StageStopError,
)
from core.vectors.port import CollectionSpec, Filter, Point
from core.vectors.server import wire
from core.vectors.server.store import QdrantVectorStore
from tests.servers.process import free_port
from tests.servers.qdrant import QdrantServer, empty_qdrant, qdrant_url
from tests.servers.qdrant_answers import Answers, answering

_SPEC = CollectionSpec("items", "fashion-1", 4, ("category",))
_QUERY = np.eye(4, dtype=np.float32)[:1]


@pytest.fixture
def url() -> str:
    """An empty server."""
    url = qdrant_url(uuid.uuid4().hex)
    empty_qdrant(url)
    return url


@pytest.fixture
async def vectors(url: str) -> AsyncIterator[QdrantVectorStore]:
    store = await QdrantVectorStore.open(url)
    yield store
    await store.close()


@pytest.fixture
async def client(url: str) -> AsyncIterator[AsyncQdrantClient]:
    """Somebody else on the same server."""
    client = AsyncQdrantClient(url=url, check_compatibility=False)
    yield client
    await client.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QdrantServer]:
    """To be killed."""
    server = QdrantServer(tmp_path)
    server.start()
    yield server
    server.stop()


def _point(number: int, **payload: object) -> Point:
    return Point(str(uuid.UUID(int=number)), _QUERY[0], payload or {"category": "bag"})


async def test_a_server_that_was_killed_is_an_outage_and_comes_back(server: QdrantServer) -> None:
    vectors = await QdrantVectorStore.open(server.url)
    await vectors.create(_SPEC)
    await vectors.serve("catalog", "items")
    await vectors.upsert("items", "fashion-1", [_point(1), _point(2)])
    await vectors.annotate("items", {_point(2).id: {"category": None, "color": "red"}})

    server.kill()

    for call in (
        vectors.upsert("items", "fashion-1", [_point(3)]),
        vectors.search("items", "fashion-1", _QUERY, 1, 0.0),
        vectors.collections(),
        vectors.serving("catalog"),
    ):
        with pytest.raises(OutageError, match=server.url):
            await call
    server.start()
    assert await vectors.collections() == {"items": _SPEC}
    assert await vectors.serving("catalog") == "items"
    points, _ = await vectors.scroll("items", None, 10)
    assert [point.payload for point in points] == [{"category": "bag"}, {"color": "red"}]
    await vectors.upsert("items", "fashion-1", [_point(3)])
    assert await vectors.facet("items", "category") == {"bag": 2}
    await vectors.close()


async def test_a_server_that_hangs_is_an_outage_after_the_time_limit(server: QdrantServer) -> None:
    vectors = await QdrantVectorStore.open(server.url, timeout_s=1)
    await vectors.create(_SPEC)
    server.freeze()

    async with asyncio.timeout(60):
        with pytest.raises(OutageError, match=rf"{server.url}.*ReadTimeout"):
            await vectors.count("items")

    server.thaw()
    assert await vectors.count("items") == 0
    await vectors.close()


async def test_a_server_that_is_not_there_is_an_outage() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(OutageError, match=url):
        await QdrantVectorStore.open(url)


@pytest.mark.parametrize(
    "url", ["", "localhost", "localhost:6333", "ftp://host:6333", "http://", "http://host:port"]
)
async def test_what_is_no_address_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="QDRANT_URL"):
        await QdrantVectorStore.open(url)


async def test_a_server_that_wants_a_key_gets_it(tmp_path: Path) -> None:
    server = QdrantServer(tmp_path, api_key="open sesame")
    server.start()

    with pytest.raises(SettingsError, match="set QDRANT_API_KEY"):
        await QdrantVectorStore.open(server.url)
    with pytest.raises(SettingsError, match="correct QDRANT_API_KEY") as refused:
        await QdrantVectorStore.open(server.url, api_key="abracadabra")
    vectors = await QdrantVectorStore.open(server.url, api_key="open sesame")

    assert "abracadabra" not in str(refused.value)
    assert await vectors.collections() == {}
    await vectors.close()
    server.stop()


@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (403, "Forbidden", SettingsError, "QDRANT_API_KEY"),
        (404, "404 page not found", SettingsError, "QDRANT_URL"),
        (301, "", SettingsError, "QDRANT_URL"),
        (200, "<html>", SettingsError, "QDRANT_URL"),
        (200, '{"hello": "world"}', SettingsError, "QDRANT_URL"),
        (429, "", OutageError, "429"),
        (500, '{"status": {"error": "no disk"}}', OutageError, "500 no disk"),
        (503, "<html>", OutageError, "503"),
    ],
)
async def test_a_first_answer_tells_a_wrong_setting_from_an_outage(
    status: int, body: str, error: type[Exception], says: str
) -> None:
    async with answering(lambda path: (status, body)) as url:
        with pytest.raises(error, match=says):
            await QdrantVectorStore.open(url)


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, ""), (403, "Forbidden"), (408, ""), (429, "{}"), (502, "<html>"), (507, "")],
)
async def test_a_server_that_cannot_now_is_an_outage(status: int, body: str) -> None:
    async with answering(_greeting(status, body)) as url:
        vectors = await QdrantVectorStore.open(url)
        for call in (
            vectors.upsert("items", "fashion-1", [_point(1)]),
            vectors.search("items", "fashion-1", _QUERY, 1, 0.0),
            vectors.collections(),
        ):
            with pytest.raises(OutageError, match=f"{url}.*{status}"):
                await call
        await vectors.close()


async def test_a_proxy_that_knows_no_qdrant_for_now_is_an_outage() -> None:
    async with answering(_greeting(404, "default backend")) as url:
        vectors = await QdrantVectorStore.open(url)
        for call in (
            vectors.upsert("items", "fashion-1", [_point(1)]),
            vectors.collections(),
            vectors.serving("catalog"),
        ):
            with pytest.raises(OutageError, match=url):
                await call
        await vectors.close()


async def test_a_change_that_the_server_has_only_noted_is_an_outage() -> None:
    noted = '{"result": {"operation_id": 1, "status": "wait_timeout"}, "status": "ok", "time": 0}'

    async with answering(_greeting(200, noted)) as url:
        vectors = await QdrantVectorStore.open(url)

        with pytest.raises(OutageError, match="wait_timeout"):
            await vectors.upsert("items", "fashion-1", [_point(1)])
        await vectors.close()


async def test_a_server_too_old_for_our_collections_is_refused() -> None:
    async with answering(_greeting(500, "", version="1.15.4")) as url:
        with pytest.raises(SettingsError, match=r"1\.15\.4.*1\.16"):
            await QdrantVectorStore.open(url)


async def test_a_closed_store_says_so(vectors: QdrantVectorStore) -> None:
    await vectors.close()
    await vectors.close()

    with pytest.raises(RuntimeError, match="closed"):
        await vectors.count("items")


async def test_many_who_create_at_once_make_one_collection(url: str) -> None:
    stores = [await QdrantVectorStore.open(url) for _ in range(6)]
    specs = [CollectionSpec("items", "fashion-1", 4, (f"f{n}", "category")) for n in range(6)]

    await asyncio.gather(*(store.create(spec) for store, spec in zip(stores, specs, strict=True)))

    known = (await stores[0].collections())["items"]
    assert (known.embedder, known.dim) == ("fashion-1", 4)
    assert set(known.indexed) == {"category", *(f"f{n}" for n in range(6))}
    for store in stores:
        await store.close()


async def test_one_who_creates_for_another_embedder_at_the_same_time_is_refused(url: str) -> None:
    stores = [await QdrantVectorStore.open(url) for _ in range(2)]

    outcomes = await asyncio.gather(
        stores[0].create(_SPEC),
        stores[1].create(CollectionSpec("items", "fashion-2", 4)),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {type(None), EmbedderMismatchError}
    for store in stores:
        await store.close()


async def test_a_collection_swapped_by_another_process_takes_no_old_vectors(
    vectors: QdrantVectorStore, url: str
) -> None:
    await vectors.create(_SPEC)
    await vectors.upsert("items", "fashion-1", [_point(1)])
    assert await vectors.collections() == {"items": _SPEC}

    other = await QdrantVectorStore.open(url)
    await other.drop("items")
    with pytest.raises(CollectionMissingError, match="items"):
        await vectors.upsert("items", "fashion-1", [_point(2)])
    await other.create(CollectionSpec("items", "fashion-2", 4))

    with pytest.raises(EmbedderMismatchError, match=r"fashion-2.*fashion-1"):
        await vectors.upsert("items", "fashion-1", [_point(2)])
    with pytest.raises(EmbedderMismatchError, match=r"fashion-2.*fashion-1"):
        await vectors.search("items", "fashion-1", _QUERY, 1, 0.0)
    assert (await vectors.collections())["items"].embedder == "fashion-2"
    assert await vectors.count("items") == 0
    await other.close()


@pytest.mark.parametrize("made", [[], ["category"]])
async def test_a_collection_whose_maker_died_is_not_listed_and_completed_by_create(
    vectors: QdrantVectorStore, client: AsyncQdrantClient, made: list[str]
) -> None:
    params = models.VectorParams(size=4, distance=models.Distance.COSINE)
    await client.create_collection("items", {"fashion-1": params})
    for field in made:
        await client.create_payload_index("items", field, models.PayloadSchemaType.KEYWORD)

    assert await vectors.collections() == {}
    await vectors.create(_SPEC)

    assert await vectors.collections() == {"items": _SPEC}
    await vectors.upsert("items", "fashion-1", [_point(1)])
    assert await vectors.facet("items", "category") == {"bag": 1}


async def test_collections_of_others_are_left_alone(
    vectors: QdrantVectorStore, client: AsyncQdrantClient
) -> None:
    theirs = f"theirs-{uuid.uuid4().hex}"
    params = models.VectorParams(size=4, distance=models.Distance.COSINE)
    await client.create_collection(theirs, params)

    assert await vectors.collections() == {}
    with pytest.raises(EmbedderMismatchError, match="not made by this engine"):
        await vectors.create(CollectionSpec(theirs, "fashion-1", 4))
    with pytest.raises(EmbedderMismatchError, match="not made by this engine"):
        await vectors.upsert(theirs, "fashion-1", [_point(1)])
    await vectors.create(_SPEC)
    with pytest.raises(StageStopError, match=rf"{theirs}.*TAGGER_CATALOG"):
        await vectors.serve(theirs, "items")

    assert (await client.count(theirs)).count == 0
    await client.delete_collection(theirs)


@pytest.mark.parametrize("embedder", ["org/model@main:fp16", "Größe 日", "a%2Fb", "x" * 200])
async def test_an_embedder_may_have_any_name(vectors: QdrantVectorStore, embedder: str) -> None:
    spec = CollectionSpec("items", embedder, 4)

    await vectors.create(spec)
    await vectors.upsert("items", embedder, [_point(1)])

    assert await vectors.collections() == {"items": spec}
    assert len((await vectors.search("items", embedder, _QUERY, 1, 0.9))[0]) == 1


async def test_an_embedder_with_too_long_a_name_is_refused(vectors: QdrantVectorStore) -> None:
    with pytest.raises(ValueError, match="200 bytes"):
        await vectors.create(CollectionSpec("items", "x" * 201, 4))


async def test_an_upsert_of_any_size_goes_in_requests_that_a_server_takes(
    vectors: QdrantVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "BATCH_BYTES", 1000)
    await vectors.create(_SPEC)
    points = [_point(number, category="bag", text="x" * 400) for number in range(1, 21)]
    points.append(_point(21, category="bag", text="x" * 5000))

    structs = list(wire.point_structs("fashion-1", points).values())
    assert [len(batch) for batch in wire.batches(structs)] == [1] * 21
    await vectors.upsert("items", "fashion-1", points)

    assert await vectors.count("items") == 21


async def test_one_bad_point_keeps_the_whole_upsert_out(
    vectors: QdrantVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "BATCH_BYTES", 1)
    await vectors.create(_SPEC)
    bad = Point(_point(3).id, np.ones(5, np.float32), {})

    with pytest.raises(ValueError, match="size"):
        await vectors.upsert("items", "fashion-1", [_point(1), _point(2), bad])

    assert await vectors.count("items", Filter()) == 0


def _greeting(status: int, body: str, version: str = "1.18.3") -> Answers:
    """What a server answers to whoever opens it, and then this to everything."""
    answers = {
        "/": f'{{"title": "", "version": "{version}"}}',
        "/collections": '{"result": {"collections": []}, "status": "ok", "time": 0.0}',
    }
    return lambda path: (200, answers.pop(path)) if path in answers else (status, body)

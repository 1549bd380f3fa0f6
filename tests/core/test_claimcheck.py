"""Data beside the record: what a reference may name, and what a reader makes of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.blobs.folder import FolderBlobStore
from core.blobs.keys import data_key
from core.blobs.port import Blob
from core.claimcheck import INLINE_LIMIT, REFERRED_LIMIT, decode_checked, encode_checked
from core.envelope import Event, dump, encode, encode_structured
from core.errors import BlobMissingError, LimitExceededError, SchemaError
from core.events import Data, MediaTagged
from core.ids import content_hash
from core.log.port import Message, Record, TopicPartition
from tests.core.samples import SAMPLES

LARGE = replace(
    SAMPLES["media.tagged"],
    data=SAMPLES["media.tagged"]
    .of(MediaTagged)
    .data.model_copy(update={"notes": ["x" * INLINE_LIMIT]}),
)
VALUE = dump(LARGE.data)
KEY = data_key("media.tagged", content_hash(VALUE))


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobStore]:
    store = await FolderBlobStore.open(tmp_path / "blobs")
    yield store
    await store.close()


def record(message: Message) -> Record:
    tp = TopicPartition(message.topic, 0)
    return Record(tp, 0, 0, message.key, message.value, message.headers)


def structured(event: Event[Data], reference: object) -> Record:
    """As others write it, with a reference where the data would stand."""
    message = encode_structured(event)
    envelope = json.loads(message.value or b"")
    del envelope["data"]
    value = json.dumps({**envelope, "dataref": reference}).encode()
    return record(replace(message, value=value))


async def test_large_data_is_read_back_in_either_mode(blobs: FolderBlobStore) -> None:
    message = await encode_checked(LARGE, VALUE, blobs)

    binary = await decode_checked(record(message), blobs)
    other = await decode_checked(structured(LARGE, KEY), blobs)

    assert message.value == b""
    assert binary.data == other.data == LARGE.data


@pytest.mark.parametrize(
    "reference",
    [
        "media/ab/abab.jpg",
        "results/0123/p1.json",
        "data/media.tagged/short.json",
        data_key("items.matched", content_hash(VALUE)),
        KEY.upper(),
        f"{KEY}/../../secret",
        "../../etc/passwd",
        "https://example.org/data.json",
        "/" * 100_000,
    ],
)
async def test_a_reference_names_data_of_its_own_topic_only(
    blobs: FolderBlobStore, reference: str
) -> None:
    for key in ("media/ab/abab.jpg", data_key("items.matched", content_hash(VALUE))):
        await blobs.put([Blob(key, VALUE, "application/json")])

    with pytest.raises(SchemaError, match="dataref"):
        await decode_checked(record(encode(LARGE, dataref=reference)), blobs)


@pytest.mark.parametrize("reference", [7, ["data"], {"key": KEY}, True])
async def test_a_reference_that_is_no_text_is_refused(
    blobs: FolderBlobStore, reference: object
) -> None:
    with pytest.raises(SchemaError, match="dataref"):
        await decode_checked(structured(LARGE, reference), blobs)


async def test_data_that_is_not_there_is_missed_by_name(blobs: FolderBlobStore) -> None:
    with pytest.raises(BlobMissingError, match=KEY):
        await decode_checked(record(encode(LARGE, dataref=KEY)), blobs)


async def test_data_that_was_changed_is_not_taken(blobs: FolderBlobStore) -> None:
    changed = VALUE.replace(b"complete", b"failed  ")
    await blobs.put([Blob(KEY, changed, "application/json")])

    with pytest.raises(BlobMissingError, match="is damaged"):
        await decode_checked(record(encode(LARGE, dataref=KEY)), blobs)


async def test_data_of_any_size_is_not_read(blobs: FolderBlobStore, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.json"
    with sparse.open("wb") as file:
        file.truncate(REFERRED_LIMIT + 1)
    await blobs.put([Blob(KEY, sparse, "application/json")])

    with pytest.raises(SchemaError, match=f"{REFERRED_LIMIT + 1} bytes of data are more than"):
        await decode_checked(record(encode(LARGE, dataref=KEY)), blobs)


async def test_what_no_reader_would_take_is_not_written(blobs: FolderBlobStore) -> None:
    with pytest.raises(LimitExceededError, match=r"media\.tagged\.v1: .* bytes"):
        await encode_checked(LARGE, b" " * (REFERRED_LIMIT + 1), blobs)

    assert [blob async for blob in blobs.list("data/")] == []

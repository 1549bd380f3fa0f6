"""Examples for the AsyncAPI document, put into records by the engine's own encoder."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from core import ids
from core.blobs.keys import crop_key, crops_prefix, frame_key, original_key
from core.envelope import Event, dump, encode, encode_structured
from core.events import (
    Data,
    Frame,
    ItemsMatched,
    Match,
    MatchedItem,
    MediaTagged,
    MediaUploaded,
    TaggedItem,
    Upload,
    encode_vector,
)
from core.log.port import Message
from core.paths import first
from core.results.keys import result_key

_TIME = "2026-01-31T12:00:00.000Z"
_FRAMED, _SEGMENTED, _PIPELINE = (first("4be1c5b6.d0a70f3e.19c2aa57", n) for n in (1, 2, 3))
_URI = "file:///drop/look.jpg"
_HASH = ids.content_hash(b"the bytes of look.jpg")
_MEDIA = ids.media_id(_HASH, "query", None, None)
_ROOT = ids.root_id("folder", _URI, 1, _MEDIA)
_FRAME = Frame(
    frame_id=ids.frame_id(_MEDIA, 0),
    blob_key=frame_key(_FRAMED, _MEDIA, 0),
    time_ms=0,
    timecode="00:00:00.000",
    width=640,
    height=480,
)
_ITEM = {
    "item_id": ids.item_id(_FRAME.frame_id, "example", 0),
    "label": "shirt",
    "category": "topwear",
    "score": 0.91,
    "box": (10.0, 20.0, 110.0, 220.0),
    "crop_key": crop_key(crops_prefix(_SEGMENTED, _FRAME.frame_id), 0),
}
_SHIRT = Match(
    product_id="42",
    score=0.93,
    point_id=ids.item_id(ids.frame_id(ids.media_id("", "catalog", "42", None), 0), "example", 0),
    payload={"product_id": "42", "title": "Linen shirt", "price": "39.00"},
)
_CATALOG = {"embedder": "example", "catalog": "fashion_products__g1"}

_DATA: tuple[Data, ...] = (
    MediaUploaded(
        media_id=_MEDIA,
        content_hash=_HASH,
        uri=_URI,
        filename="look.jpg",
        producer="folder",
        announcement=1,
        blob_key=original_key(_HASH, ".jpg"),
        content_type="image/jpeg",
        kind="picture",
        size=21,
    ),
    ItemsMatched(
        media_id=_MEDIA,
        frame=_FRAME,
        items=[
            MatchedItem(
                **_ITEM,
                vector=encode_vector(np.array([0.6, 0.8, 0.0], np.float32)),
                matches=[_SHIRT],
            )
        ],
        **_CATALOG,
    ),
    MediaTagged(
        media_id=_MEDIA,
        revision=1,
        status="complete",
        filename="look.jpg",
        content_hash=_HASH,
        kind="picture",
        uploads=[Upload(root=_ROOT, uri=_URI, filename="look.jpg")],
        upload_count=1,
        frames=[_FRAME],
        items=[TaggedItem(**_ITEM, frame_id=_FRAME.frame_id, matches=[_SHIRT])],
        result_key=result_key(_MEDIA, _PIPELINE),
        pipeline=_PIPELINE,
        **_CATALOG,
    ),
)


def binary_examples(model: type[Data]) -> list[dict[str, Any]]:
    """Message examples in binary mode; none where the topic has no sample."""
    return [_example(encode(_event(data))) for data in _DATA if isinstance(data, model)]


def structured_examples(model: type[Data]) -> list[dict[str, Any]]:
    """The same in structured mode."""
    return [_example(encode_structured(_event(data))) for data in _DATA if isinstance(data, model)]


def _event(data: Data) -> Event[Data]:
    if isinstance(data, MediaUploaded):
        return Event(_ROOT, "/producers/folder", _MEDIA, _ROOT, data, time=_TIME)
    return Event(
        id=ids.event_id("", "", _ROOT, dump(data)),
        source="/stages/example",
        subject=_MEDIA,
        root=_ROOT,
        data=data,
        pipeline=_PIPELINE,
        frame=_FRAME.frame_id if isinstance(data, ItemsMatched) else None,
        time=_TIME,
    )


def _example(message: Message) -> dict[str, Any]:
    return {"headers": dict(message.headers), "payload": json.loads(message.value or b"")}

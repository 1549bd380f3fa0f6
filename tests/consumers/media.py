"""The events of one medium, made by hand, for tests of the fold."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np

from core.envelope import Event
from core.events import (
    Data,
    DeadLetter,
    Frame,
    IndexedItem,
    ItemsIndexed,
    ItemsMatched,
    Match,
    MatchedItem,
    MediaFramed,
    MediaUploaded,
    Product,
    encode_vector,
)
from core.ids import frame_id

MEDIA = "0" * 31 + "1"


def ident(name: str) -> str:
    """The id of the item that a test calls by a short name."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def frame(time_ms: int) -> Frame:
    return Frame(
        frame_id=frame_id(MEDIA, time_ms),
        blob_key=f"frames/{time_ms}.jpg",
        time_ms=time_ms,
        timecode="",
        width=10,
        height=10,
    )


def _event(data: Data, root: str, pipeline: str, about: str | None = None) -> Event[Data]:
    return Event(
        id=f"{data.topic}-{root}-{about}",
        source="/test",
        subject=MEDIA,
        root=root,
        pipeline=pipeline,
        frame=about,
        data=data,
    )


def upload(root: str = "r1") -> Event[Data]:
    data = MediaUploaded(
        media_id=MEDIA,
        content_hash="c",
        uri=f"file:///{root}.jpg",
        filename=f"{root}.jpg",
        producer="test",
        announcement=1,
        blob_key="b",
        content_type="image/jpeg",
        kind="video",
        size=1,
    )
    return replace(_event(data, root, ""), id=root)


def framed(
    times: list[int], root: str = "r1", pipeline: str = "p", cached: bool = False
) -> Event[Data]:
    data = MediaFramed(
        media_id=MEDIA,
        filename=f"{root}.jpg",
        content_hash="c",
        kind="video",
        frames=[frame(time) for time in times],
        cached=cached,
    )
    return _event(data, root, pipeline)


def item(name: str, angle: float, category: str = "topwear") -> MatchedItem:
    vector = np.array([np.cos(angle), np.sin(angle)], np.float32)
    return MatchedItem(
        item_id=ident(name),
        label="shirt",
        category=category,
        score=0.9,
        box=(0, 0, 5, 5),
        crop_key=f"crops/{name}.png",
        vector=encode_vector(vector),
        matches=[Match(product_id="7", score=0.9, point_id="x", payload={})],
    )


def matched(
    time_ms: int, items: list[MatchedItem], root: str = "r1", pipeline: str = "p"
) -> Event[Data]:
    about = frame(time_ms)
    data = ItemsMatched(
        media_id=MEDIA, frame=about, embedder="e", items=items, catalog="fashion_products__g1"
    )
    return _event(data, root, pipeline, about.frame_id)


def indexed(time_ms: int, names: list[str], root: str = "r1", pipeline: str = "p") -> Event[Data]:
    about = frame(time_ms)
    items = [
        IndexedItem(**item(name, 0.0).model_dump(exclude={"matches"}), point_id=ident(name))
        for name in names
    ]
    data = ItemsIndexed(
        media_id=MEDIA,
        frame=about,
        embedder="e",
        catalog="fashion_products__g1",
        items=items,
        product=Product(id="7"),
    )
    return _event(data, root, pipeline, about.frame_id)


def dead(
    stage: str, time_ms: int | None = None, root: str = "r1", pipeline: str = "p"
) -> Event[Data]:
    about = frame(time_ms).frame_id if time_ms is not None else None
    data = DeadLetter(
        media_id=MEDIA,
        stage=stage,
        error="UndecodableError",
        reason="not a picture",
        attempts=1,
        origin_topic="t",
        origin_partition=0,
        origin_offset=0,
        origin_headers={"ce_subject": MEDIA},
    )
    return _event(data, root, pipeline, about)

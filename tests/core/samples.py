"""One full event of every kind; ``python -m tests.core.samples`` writes missing golden files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from core.envelope import Event, dump, encode
from core.events import (
    Data,
    DeadLetter,
    EmbeddedItem,
    Frame,
    FrameExtracted,
    IndexedItem,
    Item,
    ItemsEmbedded,
    ItemsIndexed,
    ItemsMatched,
    ItemsSegmented,
    Match,
    MatchedItem,
    MediaAnalyzed,
    MediaFramed,
    MediaTagged,
    MediaUploaded,
    Product,
    TaggedItem,
    TaggedPoint,
    Upload,
    Vibe,
    encode_vector,
)

MEDIA = "0123456789abcdef0123456789abcdef"
FRAME = Frame(
    frame_id=f"{MEDIA}/000001500",
    blob_key=f"frames/p1/{MEDIA}/000001500.jpg",
    time_ms=1500,
    timecode="00:00:01.500",
    width=640,
    height=480,
    scene_start_ms=1000,
    scene_end_ms=2000,
)
PRODUCT = Product(
    id="42", name="product_42", title="Linen shirt", price="39.00", tags="linen, blue"
)
ITEM = {
    "item_id": "b8a1c8e2-1111-5222-8333-444455556666",
    "label": "shirt",
    "category": "topwear",
    "score": 0.91,
    "box": (10.0, 20.0, 110.0, 220.0),
    "crop_key": f"crops/p1/{MEDIA}/000001500/000.png",
    "masked_key": f"crops/p1/{MEDIA}/000001500/000-masked.png",
}
VECTOR = {"vector": encode_vector(np.array([0.6, 0.8, 0.0], np.float32))}
MATCH = Match(product_id="42", score=0.93, point_id="p-1", payload={"title": "Linen shirt"})

_DATA: tuple[Data, ...] = (
    MediaUploaded(
        media_id=MEDIA,
        content_hash="ab" * 32,
        uri="file:///drop/look%20one.jpg",
        filename="look one.jpg",
        producer="folder",
        announcement=1,
        blob_key="media/ab/abab.jpg",
        content_type="image/jpeg",
        kind="picture",
        size=12345,
        product=PRODUCT,
        prompt="shirt. dress.",
    ),
    FrameExtracted(media_id=MEDIA, frame=FRAME, prompt="shirt.", product=PRODUCT),
    MediaFramed(
        media_id=MEDIA,
        filename="look one.mp4",
        content_hash="ab" * 32,
        kind="video",
        duration_ms=9000,
        frames=[FRAME],
        notes=["the stream ends at 4.2 s of 9.0 s"],
        cached=True,
        product=PRODUCT,
    ),
    ItemsSegmented(media_id=MEDIA, frame=FRAME, items=[Item(**ITEM)], notes=["n"]),
    ItemsEmbedded(
        media_id=MEDIA, frame=FRAME, embedder="lite-1", items=[EmbeddedItem(**ITEM, **VECTOR)]
    ),
    ItemsMatched(
        media_id=MEDIA,
        frame=FRAME,
        embedder="lite-1",
        items=[MatchedItem(**ITEM, **VECTOR, matches=[MATCH])],
        catalog="fashion_products__g1",
    ),
    ItemsIndexed(
        media_id=MEDIA,
        frame=FRAME,
        embedder="lite-1",
        catalog="fashion_products__g1",
        items=[IndexedItem(**ITEM, **VECTOR, point_id="p-1")],
        product=PRODUCT,
    ),
    MediaAnalyzed(
        media_id=MEDIA,
        audio_transcription="hello",
        clothing_description="a blue shirt",
        vibes=[Vibe(id="boho", name="Boho", confidence=0.7)],
    ),
    MediaTagged(
        media_id=MEDIA,
        revision=3,
        status="complete",
        filename="look one.mp4",
        content_hash="ab" * 32,
        kind="video",
        duration_ms=9000,
        uploads=[Upload(root="r-1", uri="file:///drop/look%20one.mp4", filename="look one.mp4")],
        upload_count=1,
        frames=[FRAME],
        items=[TaggedItem(**ITEM, frame_id=FRAME.frame_id, matches=[MATCH])],
        points=[
            TaggedPoint(
                item_id="i",
                point_id="p",
                frame_id=FRAME.frame_id,
                label="shirt",
                category="topwear",
                box=(0, 0, 1, 1),
                crop_key="k",
            )
        ],
        embedder="lite-1",
        catalog="fashion_products__g1",
        result_key=f"results/{MEDIA}/p1.json",
    ),
    DeadLetter(
        media_id=MEDIA,
        stage="frames",
        error="UndecodableError",
        reason="not a picture: the file starts like a ZIP archive",
        attempts=1,
        origin_topic="media.uploaded",
        origin_partition=3,
        origin_offset=17,
        origin_key=MEDIA,
        origin_headers={"ce_id": "r-1"},
    ),
)

SAMPLES: dict[str, Event[Data]] = {
    data.topic: Event(
        id=f"id-of-{data.topic}",
        source="/stages/sample",
        subject=MEDIA,
        root="r-1",
        data=data,
        purpose="catalog",
        pipeline="p1",
        frame=FRAME.frame_id,
        target="match",
        replay="replay-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        extensions={"tenant": "shop"},
    )
    for data in _DATA
}


def write_golden(folder: Path) -> None:
    """Writes what is missing; an existing file is the past and never changes."""
    for event in SAMPLES.values():
        path = folder / f"{event.data.type()}.json"
        if not path.exists():
            message = encode(event)
            golden = {
                "key": message.key,
                "headers": {**message.headers, "ce_time": "2026-11-23T12:00:00.000Z"},
                "data": json.loads(dump(event.data)),
            }
            path.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    write_golden(Path(__file__).parent / "golden")

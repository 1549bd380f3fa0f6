"""Events and stores for tests of match and index: items are angles on a circle."""

from __future__ import annotations

import uuid

import numpy as np

from core.envelope import Event
from core.events import EmbeddedItem, Frame, ItemsEmbedded, Product, Purpose, encode_vector
from core.ids import frame_id
from core.log.port import TopicPartition
from core.runtime.stage import Context

CONTEXT = Context(TopicPartition("items.embedded", 0), 0, 1)


def ident(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def embedded(
    media: str, angles: dict[str, float], product: str | None = None, embedder: str = "e"
) -> Event[ItemsEmbedded]:
    """One frame whose items, by name, lie at these angles, in degrees."""
    frame = Frame(
        frame_id=frame_id(media, 0), blob_key="f", time_ms=0, timecode="", width=1, height=1
    )
    items = [
        EmbeddedItem(
            item_id=ident(name),
            label="shirt",
            category="topwear",
            score=0.9,
            box=(0, 0, 1, 1),
            crop_key=f"crops/{name}.png",
            vector=encode_vector(
                np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))], np.float32)
            ),
        )
        for name, angle in angles.items()
    ]
    purpose: Purpose = "catalog" if product is not None else "query"
    data = ItemsEmbedded(
        media_id=media,
        frame=frame,
        embedder=embedder,
        items=items,
        product=Product(id=product, title=f"Product {product}") if product else None,
    )
    return Event(
        id=f"{media}-{sorted(angles)}",
        source="/stages/embed",
        subject=media,
        root="r",
        purpose=purpose,
        pipeline="p",
        frame=frame.frame_id,
        data=data,
    )

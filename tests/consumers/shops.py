"""Catalogs full of near-duplicates, and what their flags must be."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import count

import numpy as np

from core.envelope import Event
from core.events import ItemsEmbedded
from core.vectors.port import Point, VectorStore
from tests.consumers.catalogs import embedded

THRESHOLD = 0.999
"""The cosine of 2.6 degrees: of items half degrees apart none is near it."""


def shop(seed: int, processes: int = 2, frames: int = 3) -> list[list[Event[ItemsEmbedded]]]:
    """What each process has to index: frames whose items lie close together. One of its frames
    comes again, with some items in other places, some gone and some new."""
    drawn = random.Random(f"shop {seed}")
    names = (f"{seed} {number}" for number in count())

    def items() -> dict[str, float]:
        return {next(names): drawn.randrange(16) / 2 for _ in range(drawn.randint(1, 2))}

    work = []
    for process in range(processes):
        own = {f"m{process}{n}": (items(), f"P{drawn.randrange(4)}") for n in range(frames)}
        events = [embedded(media, angles, product) for media, (angles, product) in own.items()]
        media = drawn.choice(list(own))
        angles, product = own[media]
        stay = {name: drawn.randrange(16) / 2 for name in angles if drawn.random() < 0.5}
        again = {**stay, **(items() if drawn.random() < 0.7 else {})}
        work.append([*events, embedded(media, again, product)])
    return work


async def flags(vectors: VectorStore, collection: str) -> dict[str, str]:
    return {
        point.id: point.payload["duplicate_of"]
        for point in await _all(vectors, collection)
        if point.payload.get("duplicate_of")
    }


async def right_flags(vectors: VectorStore, collection: str) -> dict[str, str]:
    """By comparing every pair: the smallest (product id, item id) near it, if smaller than its."""
    points = sorted(
        await _all(vectors, collection), key=lambda one: (one.payload["product_id"], one.id)
    )
    right = {}
    for place, point in enumerate(points):
        near = [other.id for other in points[:place] if _near(other, point)]
        if near:
            right[point.id] = near[0]
    return right


def _near(one: Point, other: Point) -> bool:
    return float(np.dot(one.vector.astype(float), other.vector.astype(float))) >= THRESHOLD


async def _all(vectors: VectorStore, collection: str) -> Sequence[Point]:
    points, rest = await vectors.scroll(collection, None, 1000)
    assert rest is None
    return points

"""How our points, filters and collections look in Qdrant's REST API."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np
from qdrant_client import models

from core.events import Vectors
from core.vectors.port import CollectionSpec, Filter, Hit, Payload, Point
from core.vectors.thresholds import just_below

BATCH_BYTES = 8 * 2**20
"""Most of one request's JSON, about. A server refuses requests over 32 MB unless told otherwise."""

_NUMBER_BYTES = 22
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_VECTOR_NAME_BYTES = 200
_INDEXED = "indexed"


class Found(NamedTuple):
    """A collection as the server describes it; ``complete`` once all of its indexes were made."""

    spec: CollectionSpec
    complete: bool


def checked(name: str) -> str:
    """The name of a collection or alias; raises ValueError for one that not every store holds."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"a collection's name is of letters, digits and _.-, not {name!r}")
    return name


def vector_name(embedder: str) -> str:
    """What the server calls an embedder's vectors.

    A collection has vectors of this one name, and every write and every search names them. So it
    is the server that refuses an embedder which is not the collection's own, in the same call, also
    when another process has put a new collection in the place of the old one a moment ago.
    """
    name = quote(embedder, safe="+@=,;!()[] ")
    if not name or len(name) > _VECTOR_NAME_BYTES:
        raise ValueError(f"an embedder's name has 1 to {_VECTOR_NAME_BYTES} bytes: {embedder!r}")
    return name


def completed(indexed: Sequence[str]) -> dict[str, object]:
    """The collection's metadata that says: all indexes are made, and these are they."""
    return {_INDEXED: list(indexed)}


def found(name: str, info: models.CollectionInfo) -> Found | None:
    """A described collection; None for one that is not ours: its vectors have no name, or
    several."""
    vectors = info.config.params.vectors
    if not isinstance(vectors, dict) or len(vectors) != 1:
        return None
    [(embedder, params)] = vectors.items()
    promised = (info.config.metadata or {}).get(_INDEXED)
    fields = [str(field) for field in promised or ()]
    # Of two processes that add indexes at a time, one may not have listed the other's.
    fields += sorted(field for field in info.payload_schema if field not in fields)
    spec = CollectionSpec(name, unquote(embedder), params.size, tuple(fields))
    return Found(spec, promised is not None)


def point_structs(embedder: str, points: Sequence[Point]) -> dict[str, models.PointStruct]:
    """By id, the later of two. Raises ValueError for what is no point of any collection."""
    name = vector_name(embedder)
    structs = {}
    for point in points:
        checked_id = _uuid(point.id)
        structs[checked_id] = models.PointStruct(
            id=checked_id,
            vector={name: numbers(point.vector)},
            payload=_plain(point.id, point.payload),
        )
    return structs


def merges(payloads: Mapping[str, Payload]) -> list[models.SetPayloadOperation]:
    """Requests that merge payloads. Each selects its point by a filter, which may find none: a
    point that is named by its id would have to be there."""
    return [
        models.SetPayloadOperation(
            set_payload=models.SetPayload(
                payload=_plain(point, payload),
                filter=models.Filter(must=[models.HasIdCondition(has_id=[_uuid(point)])]),
            )
        )
        for point, payload in payloads.items()
    ]


def batches(structs: Sequence[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    """The points in requests of at most about BATCH_BYTES, at least one point each."""
    batch: list[models.PointStruct] = []
    size = 0
    for struct in structs:
        bytes_of_it = _size(struct)
        if batch and size + bytes_of_it > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(struct)
        size += bytes_of_it
    if batch:
        yield batch


def query(
    embedder: str, vector: Vectors, limit: int, min_score: float, where: Filter | None
) -> models.QueryRequest:
    return models.QueryRequest(
        query=models.NearestQuery(nearest=numbers(vector)),
        using=vector_name(embedder),
        filter=conditions(where),
        score_threshold=just_below(min_score),
        limit=limit,
        with_payload=True,
    )


def conditions(where: Filter | None) -> models.Filter | None:
    """The server's form of a filter; None, which is everything, where it has no conditions."""
    if where is None or not (where.must or where.must_not):
        return None
    return models.Filter(must=_matches(where.must), must_not=_matches(where.must_not))


def point(record: models.Record) -> Point:
    assert isinstance(record.vector, dict)
    [vector] = record.vector.values()
    return Point(str(record.id), np.asarray(vector, dtype=np.float32), record.payload or {})


def hit(scored: models.ScoredPoint) -> Hit:
    return Hit(str(scored.id), scored.score, scored.payload or {})


def numbers(vector: Vectors) -> list[float]:
    """Raises ValueError for what is not one row of finite numbers."""
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise ValueError("a vector is one row of finite numbers")
    plain: list[float] = np.asarray(vector, dtype=np.float32).tolist()
    return plain


def _matches(fields: Mapping[str, Sequence[str]]) -> list[models.Condition]:
    return [
        models.FieldCondition(key=field, match=models.MatchAny(any=list(values)))
        for field, values in fields.items()
    ]


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ValueError(f"a point's id is a UUID, not {text!r}") from None


def _plain(point: str, payload: Payload) -> dict[str, object]:
    plain = dict(payload)
    try:
        json.dumps(plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"the payload of {point!r} is not what JSON can hold: {error}") from error
    return plain


def _size(struct: models.PointStruct) -> int:
    assert isinstance(struct.vector, dict)
    [vector] = struct.vector.values()
    assert isinstance(vector, list)
    return _NUMBER_BYTES * len(vector) + len(json.dumps(struct.payload))

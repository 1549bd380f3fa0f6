"""One collection in Qdrant's engine, which keeps a collection in a folder and calls it a shard."""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qdrant_edge import (
    CountRequest,
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    FacetRequest,
    FieldCondition,
    Filter,
    MatchAny,
    PayloadSchemaType,
    Point,
    Query,
    QueryBatchRequest,
    QueryRequest,
    ScrollRequest,
    UpdateOperation,
)

from core.files.durable import sync_folder
from core.vectors.edge.wire import Found, Record, Where

_INDEXED_FROM = 50_000
"""Points of a segment before it gets an HNSW graph. Below, a search compares with all of them: it
misses nothing, and 32 queries over 50,000 x 512 take 0.1 s on two cores. Building the graph of as
many takes 46 s, during which the engine does nothing else."""

_FLUSH_AFTER = 5_000
_TIDY_AFTER = 5_000
_TIDY_AT_LATEST = 50_000
_QUERIES_AT_ONCE = 64


class Shard:
    """Holds the engine's own files open; one thread at a time.

    A change is found by the next search. It survives the end of the process at once, and power
    loss once ``sync`` returns: that puts the engine's write-ahead log on the disk, which it replays
    when it loads. Moving the changes from the log to where they belong (``flush``) takes ten times
    as long, and is left for when nobody waits.
    """

    def __init__(self, folder: Path, engine: EdgeShard) -> None:
        self._log = folder / "wal"
        self._engine = engine
        info = engine.info()
        self._unsynced = False
        self._unflushed = 0
        # What an earlier process left untidy: the graph that its last points are not in.
        self._untidied_before = info.points_count - info.indexed_vectors_count
        self._untidied = 0

    @classmethod
    def create(cls, folder: Path, dim: int, indexed: Iterable[str]) -> Shard:
        """Complete and on the disk when this returns."""
        config = EdgeConfig(
            vectors=EdgeVectorParams(dim, Distance.Cosine),
            optimizers=EdgeOptimizersConfig(
                default_segment_number=2, indexing_threshold=_INDEXED_FROM * dim * 4 // 1024
            ),
        )
        shard = cls(folder, EdgeShard.create(str(folder), config))
        shard.index(indexed)
        sync_folder(folder)
        return shard

    @classmethod
    def load(cls, folder: Path) -> Shard:
        """Opens what is there: a tenth of a second for 20,000 points of 512."""
        return cls(folder, EdgeShard.load(str(folder)))

    def index(self, fields: Iterable[str]) -> None:
        """On the disk when this returns."""
        for field in fields:
            self._engine.update(
                UpdateOperation.create_field_index(field, PayloadSchemaType.Keyword)
            )
        self._engine.flush()

    def upsert(self, records: Sequence[Record]) -> None:
        points = [_point(record) for record in records]
        self._change(UpdateOperation.upsert_points(points), len(points))

    def annotate(self, payloads: dict[str, dict[str, Any]]) -> None:
        # The engine refuses a change of a point that is not there, and the rest with it.
        there = self._engine.retrieve(list(payloads), with_payload=False, with_vector=False)
        changes = [
            UpdateOperation.set_payload([point.id], payloads[str(point.id)]) for point in there
        ]
        for change in changes:
            self._change(change, 1)

    def delete(self, where: Where) -> None:
        gone = self.count(where)
        if gone:
            self._change(UpdateOperation.delete_points_by_filter(_filter(where)), gone)

    def search(
        self, vectors: Sequence[bytes], limit: int, score_threshold: float, where: Where
    ) -> list[list[Found]]:
        """Scores are above the threshold."""
        results: list[list[Found]] = [[] for _ in vectors]
        # One more than asked for shows whether the last place is shared. Which of those that share
        # it the engine returns is chance, so it is asked for all of them.
        asked = dict.fromkeys(range(len(vectors)), limit + 1)
        while asked:
            rows = list(asked)[:_QUERIES_AT_ONCE]
            queries = [
                QueryRequest(
                    asked[row],
                    query=Query.Nearest(_numbers(vectors[row])),
                    filter=_filter(where),
                    score_threshold=score_threshold,
                    with_payload=True,
                )
                for row in rows
            ]
            answers = self._engine.query_batch(QueryBatchRequest(queries))
            for row, hits in zip(rows, answers, strict=True):
                if len(hits) == asked[row] and hits[-1].score == hits[limit - 1].score:
                    asked[row] *= 2
                    continue
                del asked[row]
                best = sorted(hits, key=lambda hit: (-hit.score, str(hit.id)))[:limit]
                results[row] = [Found(str(hit.id), hit.score, hit.payload or {}) for hit in best]
        return results

    def scroll(
        self, where: Where, limit: int, after: str | None
    ) -> tuple[list[Record], str | None]:
        found, rest = self._engine.scroll(
            ScrollRequest(
                offset=after,
                limit=limit,
                filter=_filter(where),
                with_payload=True,
                with_vector=True,
            )
        )
        records = [Record(str(one.id), _bytes(one.vector), one.payload or {}) for one in found]
        return records, None if rest is None else str(rest)

    def facet(self, field: str, where: Where, limit: int) -> dict[str, int]:
        answer = self._engine.facet(
            FacetRequest(field, limit=limit, exact=True, filter=_filter(where))
        )
        return {str(hit.value): hit.count for hit in answer.hits}

    def count(self, where: Where) -> int:
        return self._engine.count(CountRequest(exact=True, filter=_filter(where)))

    def sync(self) -> None:
        """Puts the changes so far on the disk."""
        if not self._unsynced:
            return
        if sys.platform != "linux" or self._unflushed >= _FLUSH_AFTER:
            self.flush()
        else:
            for file in self._log.iterdir():
                _sync_data(file)
            sync_folder(self._log)
        self._unsynced = False
        if self._untidied >= _TIDY_AT_LATEST:
            self.tidy()

    def flush(self) -> None:
        if self._unflushed:
            self._engine.flush()
            self._unflushed = 0

    @property
    def untidy(self) -> bool:
        """There is work left for a quiet moment."""
        return self._unflushed > 0 or self._untidied + self._untidied_before >= _TIDY_AFTER

    def tidy(self) -> None:
        """Flushes; after many changes also frees what was replaced, and indexes what has grown."""
        self.flush()
        if self.untidy:
            self._engine.optimize()
            self._untidied = self._untidied_before = 0

    def close(self) -> None:
        self.flush()
        self._engine.close()

    def _change(self, operation: UpdateOperation, points: int) -> None:
        self._unsynced = True
        self._unflushed += points
        self._untidied += points
        self._engine.update(operation)


def _point(record: Record) -> Point:
    try:
        return Point(record.id, _numbers(record.vector), record.payload)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"point {record.id!r} needs a UUID and a payload that JSON can hold: {error}"
        ) from error


def _filter(where: Where) -> Filter:
    return Filter(must=_conditions(where.must), must_not=_conditions(where.must_not))


def _conditions(fields: dict[str, list[str]]) -> list[Any]:
    return [FieldCondition(field, match=MatchAny(values)) for field, values in fields.items()]


def _numbers(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def _bytes(vector: Any) -> bytes:
    return array("f", vector).tobytes()


def _sync_data(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)

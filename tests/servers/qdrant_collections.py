"""What the stand-in for a Qdrant server keeps: collections in Qdrant's own engine, and aliases."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client import models

from core.files.durable import make_folder, replace_file
from tests.servers.qdrant_filters import edge_filter

_CONFIG = "config.json"
_DISTANCES = {models.Distance.COSINE: edge.Distance.Cosine, models.Distance.DOT: edge.Distance.Dot}


class AnswerError(Exception):
    """What the server answers instead of a result."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Collection:
    """A shard of the engine, and the description that a client gave of it.

    The engine's complaints about a request are bare Exceptions.
    """

    def __init__(
        self, folder: Path, config: models.CreateCollection, shard: edge.EdgeShard
    ) -> None:
        self._folder = folder
        self._config = config
        self._shard = shard

    @classmethod
    def create(cls, folder: Path, config: models.CreateCollection) -> Collection:
        """There once its description is written, which comes last."""
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        vectors = config.vectors
        if not isinstance(vectors, dict):
            vectors = {"": vectors} if vectors is not None else {}
        params = {
            name: edge.EdgeVectorParams(one.size, _DISTANCES[one.distance])
            for name, one in vectors.items()
        }
        shard = edge.EdgeShard.create(str(folder / "shard"), edge.EdgeConfig(vectors=params))
        shard.flush()
        collection = cls(folder, config, shard)
        collection._remember()
        return collection

    @classmethod
    def load(cls, folder: Path) -> Collection:
        config = models.CreateCollection.model_validate_json((folder / _CONFIG).read_bytes())
        return cls(folder, config, edge.EdgeShard.load(str(folder / "shard")))

    def remove(self) -> None:
        (self._folder / _CONFIG).unlink()
        self._shard.close()
        shutil.rmtree(self._folder)

    def update(self, change: models.UpdateCollection) -> bool:
        self._config.metadata = {**(self._config.metadata or {}), **(change.metadata or {})}
        self._remember()
        return True

    def info(self) -> dict[str, Any]:
        told = self._shard.info()
        schema = {
            field: {"data_type": "keyword", "points": index.points}
            for field, index in told.payload_schema.items()
        }
        return {
            "status": "green",
            "optimizer_status": "ok",
            "indexed_vectors_count": told.indexed_vectors_count,
            "points_count": told.points_count,
            "segments_count": told.segments_count,
            "payload_schema": schema,
            "config": {
                "params": {"vectors": self._config.model_dump(exclude_none=True)["vectors"]},
                "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000},
                "optimizer_config": {
                    "deleted_threshold": 0.2,
                    "vacuum_min_vector_number": 1000,
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                },
                "metadata": self._config.metadata,
            },
        }

    def index(self, wanted: models.CreateFieldIndex) -> None:
        if wanted.field_schema != models.PayloadSchemaType.KEYWORD:
            raise AnswerError(501, f"the stand-in has no index of {wanted.field_schema}")
        keyword = edge.PayloadSchemaType.Keyword
        self._shard.update(edge.UpdateOperation.create_field_index(wanted.field_name, keyword))

    def upsert(self, points: Sequence[models.PointStruct]) -> None:
        plain = []
        for one in points:
            vector: Any = one.vector
            plain.append(edge.Point(one.id, vector, one.payload or {}))
        self._shard.update(edge.UpdateOperation.upsert_points(plain))

    def delete(self, where: models.Filter) -> None:
        self._shard.update(edge.UpdateOperation.delete_points_by_filter(edge_filter(where)))

    def set_payload(self, change: models.SetPayload) -> None:
        """Of the points in a list, the server changes those that are there before it complains."""
        if change.filter is not None:
            where = edge_filter(change.filter)
            operation = edge.UpdateOperation.set_payload_by_filter(where, change.payload)
        else:
            operation = edge.UpdateOperation.set_payload(list(change.points or ()), change.payload)
        self._shard.update(operation)

    def query(self, requests: Sequence[models.QueryRequest]) -> list[dict[str, Any]]:
        queries = []
        for one in requests:
            if not isinstance(one.query, models.NearestQuery):
                raise AnswerError(501, f"the stand-in cannot answer {one.query}")
            vector: Any = one.query.nearest
            nearest = edge.Query.Nearest(vector, using=one.using)
            queries.append(
                edge.QueryRequest(
                    one.limit or 10,
                    query=nearest,
                    filter=edge_filter(one.filter),
                    score_threshold=one.score_threshold,
                    with_payload=bool(one.with_payload),
                )
            )
        answers = self._shard.query_batch(edge.QueryBatchRequest(queries))
        return [
            {
                "points": [
                    {"id": str(hit.id), "version": 0, "score": hit.score, "payload": hit.payload}
                    for hit in hits
                ]
            }
            for hits in answers
        ]

    def scroll(self, wanted: models.ScrollRequest) -> dict[str, Any]:
        records, rest = self._shard.scroll(
            edge.ScrollRequest(
                offset=wanted.offset,
                limit=wanted.limit,
                filter=edge_filter(wanted.filter),
                with_payload=bool(wanted.with_payload),
                with_vector=bool(wanted.with_vector),
            )
        )
        points = [
            {"id": str(one.id), "payload": one.payload, "vector": one.vector} for one in records
        ]
        return {"points": points, "next_page_offset": None if rest is None else str(rest)}

    def facet(self, wanted: models.FacetRequest) -> dict[str, Any]:
        # Not the empty filter: the engine counts in another way without one.
        where = None if wanted.filter is None else edge_filter(wanted.filter)
        request = edge.FacetRequest(wanted.key, wanted.limit or 10, bool(wanted.exact), where)
        hits = self._shard.facet(request).hits
        return {"hits": [{"value": hit.value, "count": hit.count} for hit in hits]}

    def count(self, wanted: models.CountRequest) -> dict[str, Any]:
        request = edge.CountRequest(
            exact=wanted.exact is not False, filter=edge_filter(wanted.filter)
        )
        return {"count": self._shard.count(request)}

    def close(self) -> None:
        self._shard.flush()
        self._shard.close()

    def _remember(self) -> None:
        words = self._config.model_dump_json(exclude_none=True)
        replace_file(self._folder / _CONFIG, words.encode())


class Place:
    """The collections and aliases of one server, in a folder that outlives its process."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "collections"
        self._aliases_file = folder / "aliases.json"
        make_folder(self._home)
        self._collections: dict[str, Collection] = {}
        for path in self._home.iterdir():
            if (path / _CONFIG).exists():
                self._collections[path.name] = Collection.load(path)
        self.aliases: dict[str, str] = {}
        if self._aliases_file.exists():
            self.aliases = json.loads(self._aliases_file.read_bytes())

    @property
    def names(self) -> list[str]:
        return list(self._collections)

    def collection(self, name: str) -> Collection:
        """By its own name or by an alias."""
        try:
            return self._collections[self.aliases.get(name, name)]
        except KeyError:
            raise AnswerError(404, f"Not found: Collection `{name}` doesn't exist!") from None

    def create(self, name: str, config: models.CreateCollection) -> bool:
        if name in self._collections:
            raise AnswerError(409, f"Wrong input: Collection `{name}` already exists!")
        if name in self.aliases:
            raise AnswerError(409, f"Wrong input: Alias with name `{name}` already exists!")
        self._collections[name] = Collection.create(self._home / name, config)
        return True

    def remove(self, name: str) -> bool:
        if name not in self._collections:
            return False
        self._point({alias: at for alias, at in self.aliases.items() if at != name})
        self._collections.pop(name).remove()
        return True

    def change_aliases(self, changes: models.ChangeAliasesOperation) -> bool:
        aliases = dict(self.aliases)
        for action in changes.actions:
            if isinstance(action, models.CreateAliasOperation):
                alias, name = action.create_alias.alias_name, action.create_alias.collection_name
                if name not in self._collections:
                    raise AnswerError(404, f"Not found: Collection `{name}` doesn't exist!")
                if alias in self._collections:
                    raise AnswerError(409, f"Wrong input: Collection `{alias}` already exists!")
                aliases[alias] = name
            elif isinstance(action, models.DeleteAliasOperation):
                aliases.pop(action.delete_alias.alias_name, None)
            else:
                raise AnswerError(501, f"the stand-in cannot do {action}")
        self._point(aliases)
        return True

    def close(self) -> None:
        for collection in self._collections.values():
            collection.close()

    def _point(self, aliases: dict[str, str]) -> None:
        if aliases != self.aliases:
            replace_file(self._aliases_file, json.dumps(aliases).encode())
            self.aliases = aliases

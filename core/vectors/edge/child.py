"""What the engine's process does: each call of the store, on the one Engine of the folder.

Qdrant's engine holds Python's lock during every call, also while it builds an index for a minute:
in the process that serves events, that would stop heartbeats and everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.children.frames import Answer, Buffer
from core.children.served import Service
from core.errors import OutageError, TaggingError
from core.vectors.edge.engine import Engine
from core.vectors.edge.wire import Record, Where, rows, spec_of


def open_service(folder: str) -> Service:
    try:
        return EngineService(Engine(Path(folder)))
    except Exception as error:
        raise _travelling(error) from error


class EngineService(Service):
    """Changes that arrive together share a sync, and are answered once they are on the disk."""

    changes = frozenset({"upsert", "annotate", "delete"})

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.handlers = {
            "create": self._create,
            "collections": self._collections,
            "drop": self._drop,
            "upsert": self._upsert,
            "annotate": self._annotate,
            "search": self._search,
            "scroll": self._scroll,
            "facet": self._facet,
            "count": self._count,
            "delete": self._delete,
            "serving": self._serving,
            "serve": self._serve,
        }

    def settle(self) -> None:
        self._engine.sync()

    @property
    def untidy(self) -> bool:
        return self._engine.untidy

    def tidy(self) -> None:
        self._engine.tidy()

    def close(self) -> None:
        self._engine.close()

    def translated(self, error: Exception) -> Exception:
        return _travelling(error)

    def _create(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self._engine.create(spec_of(asked["spec"]))
        return Answer()

    def _collections(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        return Answer(self._engine.collections())

    def _drop(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self._engine.drop(asked["name"])
        return Answer()

    def _upsert(self, asked: dict[str, Any], buffers: list[Buffer]) -> Answer:
        ids, payloads = asked["ids"], asked["payloads"]
        vectors = rows(buffers[0], len(ids))
        records = [Record(*each) for each in zip(ids, vectors, payloads, strict=True)]
        self._engine.upsert(asked["name"], asked["embedder"], records)
        return Answer()

    def _annotate(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self._engine.annotate(asked["name"], asked["payloads"])
        return Answer()

    def _search(self, asked: dict[str, Any], buffers: list[Buffer]) -> Answer:
        vectors = list(rows(buffers[0], asked["rows"]))
        found = self._engine.search(
            *(asked["name"], asked["embedder"], vectors),
            *(asked["limit"], asked["score_threshold"], Where(*asked["where"])),
        )
        return Answer(found)

    def _scroll(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        where = Where(*asked["where"])
        records, rest = self._engine.scroll(asked["name"], where, asked["limit"], asked["after"])
        page = {
            "ids": [record.id for record in records],
            "payloads": [record.payload for record in records],
            "rest": rest,
        }
        return Answer(page, [b"".join(record.vector for record in records)])

    def _facet(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        where = Where(*asked["where"])
        return Answer(self._engine.facet(asked["name"], asked["field"], where, asked["limit"]))

    def _count(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        return Answer(self._engine.count(asked["name"], Where(*asked["where"])))

    def _delete(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self._engine.delete(asked["name"], Where(*asked["where"]))
        return Answer()

    def _serving(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        return Answer(self._engine.serving(asked["alias"]))

    def _serve(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self._engine.serve(asked["alias"], asked["name"])
        return Answer()


def _travelling(error: Exception) -> Exception:
    if isinstance(error, TaggingError | ValueError):
        return error
    # The engine's own errors are of no class but Exception. What it is given was checked before,
    # so they are about its files.
    if type(error) is Exception or isinstance(error, OSError):
        return OutageError(f"the vector engine failed: {error}")
    return RuntimeError(f"the vector engine failed: {error!r}")

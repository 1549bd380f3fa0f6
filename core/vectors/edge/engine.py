"""The collections of a folder: which there are, what they hold, and which of them serve."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import CollectionMissingError, EmbedderMismatchError
from core.files.durable import make_folder, sync_folder
from core.vectors.edge.records import (
    SERVING,
    SPEC,
    serving_of,
    specs_of,
    write_serving,
    write_spec,
)
from core.vectors.edge.shard import Shard
from core.vectors.edge.wire import Found, Record, Spec, Where

_SHARD = "shard"


class Engine:
    """What a VectorStore does, on plain data and for one thread.

    A collection is a folder, and is there if its ``spec.json`` is: that is the last thing made and
    the first removed, so a crash on the way leaves a folder without it, which the next start
    clears away. ``serving.json`` says which collection each alias points at.
    """

    def __init__(self, folder: Path) -> None:
        self._home = folder / "collections"
        self._serving_file = folder / SERVING
        make_folder(self._home)
        self._shards: dict[str, Shard] = {}
        for path in self._home.iterdir():
            if not (path / SPEC).exists():
                shutil.rmtree(path, ignore_errors=True)
        self._specs = specs_of(self._home, set_aside=True)
        self._serving = serving_of(self._serving_file, self._specs, set_aside=True)

    def create(self, spec: Spec) -> None:
        known = self._specs.get(spec.name)
        if known is None:
            self._make(spec)
            return
        self._check(spec.name, spec.embedder)
        if known.dim != spec.dim:
            raise EmbedderMismatchError(
                f"collection {spec.name!r} holds vectors of {known.dim} numbers, not {spec.dim}: "
                "rebuild it under another name"
            )
        if new := [field for field in spec.indexed if field not in known.indexed]:
            self._shard(spec.name).index(new)
            self._remember(known._replace(indexed=(*known.indexed, *new)))

    def collections(self) -> list[Spec]:
        return [self._specs[name] for name in sorted(self._specs)]

    def drop(self, name: str) -> None:
        if name not in self._specs:
            return
        self._point({alias: at for alias, at in self._serving.items() if at != name})
        folder = self._home / name
        (folder / SPEC).unlink()
        sync_folder(folder)
        del self._specs[name]
        if shard := self._shards.pop(name, None):
            shard.close()
        shutil.rmtree(folder, ignore_errors=True)

    def upsert(self, name: str, embedder: str, records: Sequence[Record]) -> None:
        spec = self._check(name, embedder)
        for record in records:
            _check_dim(spec, len(record.vector))
        if records:
            self._shard(name).upsert(records)

    def annotate(self, name: str, payloads: dict[str, dict[str, Any]]) -> None:
        self._shard(name).annotate(payloads)

    def search(
        self,
        name: str,
        embedder: str,
        vectors: Sequence[bytes],
        limit: int,
        score_threshold: float,
        where: Where,
    ) -> list[list[Found]]:
        spec = self._check(name, embedder)
        for vector in vectors:
            _check_dim(spec, len(vector))
        return self._shard(name).search(vectors, limit, score_threshold, where)

    def scroll(
        self, name: str, where: Where, limit: int, after: str | None
    ) -> tuple[list[Record], str | None]:
        return self._shard(name).scroll(where, limit, after)

    def facet(self, name: str, field: str, where: Where, limit: int) -> dict[str, int]:
        if field not in self._spec(name).indexed:
            raise ValueError(f"collection {name!r} has no index on {field!r} to count by")
        return self._shard(name).facet(field, where, limit)

    def count(self, name: str, where: Where) -> int:
        return self._shard(name).count(where)

    def delete(self, name: str, where: Where) -> None:
        self._shard(name).delete(where)

    def serving(self, alias: str) -> str | None:
        return self._serving.get(alias)

    def serve(self, alias: str, name: str) -> None:
        self._spec(name)
        self._point({**self._serving, alias: name})

    def sync(self) -> None:
        """Puts all changes so far on the disk."""
        for shard in self._shards.values():
            shard.sync()

    @property
    def untidy(self) -> bool:
        return any(shard.untidy for shard in self._shards.values())

    def tidy(self) -> None:
        for shard in self._shards.values():
            shard.tidy()

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()

    def _make(self, spec: Spec) -> None:
        folder = self._home / spec.name
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        try:
            shard = Shard.create(folder / _SHARD, spec.dim, spec.indexed)
            self._remember(spec)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._shards[spec.name] = shard

    def _remember(self, spec: Spec) -> None:
        write_spec(self._home / spec.name / SPEC, spec)
        self._specs[spec.name] = spec

    def _point(self, serving: dict[str, str]) -> None:
        if serving != self._serving:
            write_serving(self._serving_file, serving)
            self._serving = serving

    def _spec(self, name: str) -> Spec:
        try:
            return self._specs[name]
        except KeyError:
            raise CollectionMissingError(
                f"there is no vector collection {name!r}: build it, or serve another one"
            ) from None

    def _check(self, name: str, embedder: str) -> Spec:
        spec = self._spec(name)
        if spec.embedder != embedder:
            raise EmbedderMismatchError(
                f"collection {name!r} holds vectors of embedder {spec.embedder!r}, not of "
                f"{embedder!r}: rebuild it with this embedder, or go back to the other one"
            )
        return spec

    def _shard(self, name: str) -> Shard:
        """Loaded at its first use: old generations cost a start nothing."""
        self._spec(name)
        if name not in self._shards:
            self._shards[name] = Shard.load(self._home / name / _SHARD)
        return self._shards[name]


def look(folder: Path) -> tuple[dict[str, str], dict[str, Spec]]:
    """What each alias points at, and the collections by name, read beside whoever holds them.

    Raises FormatError as an Engine would.
    """
    specs = specs_of(folder / "collections", set_aside=False)
    return serving_of(folder / SERVING, specs, set_aside=False), specs


def _check_dim(spec: Spec, size: int) -> None:
    if size != spec.dim * 4:
        raise ValueError(
            f"collection {spec.name!r} takes vectors of {spec.dim} numbers, not {size // 4}"
        )

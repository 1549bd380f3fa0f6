"""Which collection a catalog is searched in, and which it is written to.

A catalog is a chain of collections, ``NAME__g1``, ``NAME__g2``, ..., each of one embedder, behind
an alias. Vectors of different embedders never meet: a new embedder starts a new generation, and
the old one serves until the alias is moved.
"""

from __future__ import annotations

import re

from core.errors import EmbedderMismatchError
from core.vectors.port import CollectionSpec, VectorStore

INDEXED = (
    *("product_id", "class_name", "category", "media_id", "frame_id", "item_id"),
    "duplicate_of",
)
"""Payload fields that filters and facets use."""


class Generations:
    """The generations of one catalog."""

    def __init__(self, vectors: VectorStore, alias: str) -> None:
        self._vectors = vectors
        self._alias = alias
        self._name = re.compile(re.escape(alias) + r"__g(\d+)$")

    async def searchable(self, embedder: str) -> tuple[str | None, str | None]:
        """The serving collection, or None and the reason: ``no_catalog`` where none is served,
        ``other_embedder`` where its vectors are of another model."""
        serving = await self._vectors.serving(self._alias)
        spec = (await self._vectors.collections()).get(serving) if serving else None
        if spec is None:
            return None, "no_catalog"
        if spec.embedder != embedder:
            return None, "other_embedder"
        return spec.name, None

    async def writable(self, embedder: str, dim: int) -> str:
        """The newest generation of this embedder, made if there is none; it serves at once where
        nothing served before."""
        known = await self._vectors.collections()
        numbers = {int(m[1]): name for name in known if (m := self._name.match(name))}
        ours = [n for n, name in numbers.items() if known[name].embedder == embedder]
        if ours:
            name = self._numbered(max(ours))
        else:
            name = await self._make(max(numbers, default=0) + 1, embedder, dim)
        if await self._vectors.serving(self._alias) is None:
            await self._vectors.serve(self._alias, name)
        return name

    async def _make(self, number: int, embedder: str, dim: int) -> str:
        """The first from this number on that another process has not just made for its embedder."""
        while True:
            name = self._numbered(number)
            try:
                await self._vectors.create(CollectionSpec(name, embedder, dim, INDEXED))
            except EmbedderMismatchError:
                number += 1
            else:
                return name

    def _numbered(self, number: int) -> str:
        return f"{self._alias}__g{number}"

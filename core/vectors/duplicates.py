"""Which of a medium's items show again what an earlier one has shown."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
import numpy.typing as npt

from core.events import Vectors

_NOISE = 1e-6
"""A similarity this little below a threshold has reached it: float32 vectors of length one have
products of 1 only up to this much."""

_DOUBT = 1e-4
"""FAISS adds up in float32, in an order that depends on the processor and on the size of the
input. Where its answer is this close to a threshold, the pair is compared again in float64."""

_ROWS_AT_ONCE = 256


def near_duplicates(
    vectors: Vectors, categories: Sequence[str], within: float, across: float
) -> list[int | None]:
    """For each item the index of the item that it repeats, or None: then it is kept.

    Items are taken in their given order, once. An item repeats a kept one of the same category
    from a cosine similarity of ``within`` on, one of another category from ``across`` on. It points
    at the earliest kept item that it repeats, whatever the category, so never at another
    duplicate; the first item is always kept. All pairs are considered (FAISS, ``IndexFlatIP`` and
    ``range_search``), so the outcome depends on nothing but the list.

    ``vectors`` is ``(n, dim) float32``, L2-normalised; ``categories`` has ``n`` entries. Raises
    ValueError if their numbers differ.
    """
    if len(vectors) != len(categories):
        raise ValueError(f"{len(vectors)} vectors, but {len(categories)} categories")
    if not categories:
        return []
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    kinds = np.unique(np.asarray(categories), return_inverse=True)[1]
    index = faiss.IndexFlatIP(rows.shape[1])
    # It is the calling thread's own number, so that setting it once at the start would not do.
    # Threads for a few vectors wait for each other longer than they compare, and spin meanwhile.
    faiss.omp_set_num_threads(1)

    repeats: list[int | None] = []
    kept = np.zeros(len(rows), dtype=bool)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        index.add(block)  # so a search meets no later items but those of its own block
        ends, scores, others = index.range_search(block, min(within, across) - _DOUBT)
        for row in range(len(block)):
            item = start + row
            near = slice(ends[row], ends[row + 1])
            earlier = (others[near] < item) & kept[others[near]]
            candidates, similar = others[near][earlier], scores[near][earlier].astype(np.float64)
            needed = np.where(kinds[candidates] == kinds[item], within, across) - _NOISE
            doubtful = np.abs(similar - needed) < _DOUBT
            similar[doubtful] = _similarities(rows, candidates[doubtful], item)
            found = candidates[similar >= needed]
            repeats.append(int(found.min()) if len(found) else None)
            kept[item] = not len(found)
    return repeats


def _similarities(
    rows: Vectors, candidates: npt.NDArray[np.int64], item: int
) -> npt.NDArray[np.float64]:
    products = rows[candidates].astype(np.float64) * rows[item].astype(np.float64)
    return np.asarray(products.sum(axis=1))

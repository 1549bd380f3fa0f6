"""Near-duplicates against the plainest loop that says the same."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import Vectors
from core.vectors.duplicates import near_duplicates


def _plain(
    vectors: Vectors, categories: list[str], within: float, across: float
) -> list[int | None]:
    rows = vectors.astype(np.float64)
    repeats: list[int | None] = []
    for item in range(len(rows)):
        repeats.append(None)
        for earlier in range(item):
            threshold = within if categories[earlier] == categories[item] else across
            same = float(rows[item] @ rows[earlier]) >= threshold - 1e-6
            if same and repeats[earlier] is None:
                repeats[item] = earlier
                break
    return repeats


def _unit(rows: object) -> Vectors:
    vectors = np.asarray(rows, dtype=np.float64)
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _at(*degrees: float) -> Vectors:
    angles = np.radians(degrees)
    points: Vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return points


def _crowded(n: int, centres: int, dim: int, seed: int, spread: float = 0.3) -> Vectors:
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(centres, dim))
    return _unit(middle[rng.integers(0, centres, n)] + spread * rng.normal(size=(n, dim)))


@given(
    n=st.integers(1, 40),
    centres=st.integers(1, 8),
    dim=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
    within=st.floats(0.3, 1.0),
    across=st.floats(0.3, 1.0),
    kinds=st.integers(1, 4),
)
def test_agrees_with_comparing_every_pair(
    n: int, centres: int, dim: int, seed: int, within: float, across: float, kinds: int
) -> None:
    vectors = _crowded(n, centres, dim, seed)
    categories = [f"kind {i}" for i in np.random.default_rng(seed).integers(0, kinds, n)]

    found = near_duplicates(vectors, categories, within, across)

    assert found == _plain(vectors, categories, within, across)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 60))
def test_a_duplicate_points_at_an_earlier_kept_item(seed: int, n: int) -> None:
    vectors = _crowded(n, 3, 8, seed)

    found = near_duplicates(vectors, ["dress"] * n, 0.8, 0.9)

    for item, original in enumerate(found):
        assert original is None or (original < item and found[original] is None)


@given(seed=st.integers(0, 2**32 - 1))
def test_what_comes_later_changes_nothing_before(seed: int) -> None:
    vectors = _crowded(30, 4, 8, seed)
    categories = ["dress", "bag"] * 15

    whole = near_duplicates(vectors, categories, 0.8, 0.9)
    part = near_duplicates(vectors[:17], categories[:17], 0.8, 0.9)

    assert whole[:17] == part


def test_a_chain_is_cut_where_the_middle_is_a_duplicate() -> None:
    vectors = _at(0, 20, 40)  # each 20 degrees from the next: 0.94; the ends: 0.77

    assert near_duplicates(vectors, ["dress"] * 3, 0.9, 0.9) == [None, 0, None]


def test_another_category_has_its_own_threshold() -> None:
    vectors = _at(0, 20, 5)

    found = near_duplicates(vectors, ["dress", "skirt", "skirt"], 0.9, 0.99)

    assert found == [None, None, 0]


def test_the_earliest_wins_over_the_nearest() -> None:
    vectors = _at(0, 40, 22)

    assert near_duplicates(vectors, ["dress"] * 3, 0.9, 0.9) == [None, None, 0]


def test_equal_vectors_repeat_at_a_threshold_of_one() -> None:
    vectors = np.repeat(_crowded(50, 50, 512, seed=1, spread=1.0), 2, axis=0)

    found = near_duplicates(vectors, ["dress"] * 100, 1.0, 1.0)

    assert found == [None if i % 2 == 0 else i - 1 for i in range(100)]


@pytest.mark.parametrize("blocks", [255, 256, 257, 600])
def test_pairs_far_apart_in_the_list_are_compared(blocks: int) -> None:
    vectors = _crowded(blocks, blocks, 64, seed=2, spread=0.0)
    vectors = np.concatenate([np.eye(64, dtype=np.float32)[:1], vectors, vectors[:1]])

    found = near_duplicates(vectors, ["dress"] * len(vectors), 0.999, 0.999)

    assert found == _plain(vectors, ["dress"] * len(vectors), 0.999, 0.999)
    assert found[-1] == 1


def test_nothing_and_one_thing() -> None:
    assert near_duplicates(np.zeros((0, 512), np.float32), [], 0.9, 0.9) == []
    assert near_duplicates(_at(0), ["dress"], 0.9, 0.9) == [None]


def test_thousands_of_the_same_point_at_the_first() -> None:
    vectors = np.repeat(_crowded(1, 1, 512, seed=3), 5_000, axis=0)

    found = near_duplicates(vectors, ["dress"] * 5_000, 0.92, 0.97)

    assert found == [None, *([0] * 4_999)]


def test_a_category_is_owed_for_every_vector() -> None:
    with pytest.raises(ValueError, match="2 vectors"):
        near_duplicates(_at(0, 1), ["dress"], 0.9, 0.9)


def test_a_comparison_starts_no_threads_of_its_own_wherever_it_runs() -> None:
    def compare() -> int:
        faiss.omp_set_num_threads(4)
        near_duplicates(_at(0, 1), ["dress"] * 2, 0.9, 0.9)
        threads: int = faiss.omp_get_max_threads()
        return threads

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(compare).result() == 1

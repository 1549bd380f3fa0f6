"""The result of a medium is a pure function of its parts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.results.completeness import Completeness
from consumers.results.fold import Folded, Thresholds, fold
from core.envelope import Event
from core.events import Data
from core.results.medium import MediaParts
from tests.consumers.media import MEDIA, dead, framed, ident, indexed, item, matched, upload

THRESHOLDS = Thresholds(within=0.90, across=0.85)
Part = tuple[Event[Data], int]


def folded(parts: Sequence[Part]) -> Folded:
    known = MediaParts()
    for event, offset in parts:
        known.add(event, offset)
    return fold(MEDIA, known, THRESHOLDS)


WHOLE: list[Part] = [
    (upload("r1"), 0),
    (upload("r2"), 1),
    (framed([0, 1000], "r1"), 0),
    (framed([0, 1000], "r2", cached=True), 1),
    (matched(0, [item("a", 0.0), item("b", 1.2)], "r1"), 0),
    (matched(1000, [item("c", 0.05)], "r1"), 1),
    (matched(0, [item("a", 0.0), item("b", 1.2)], "r2"), 2),
    (matched(1000, [item("c", 0.05)], "r2"), 3),
]


@given(st.permutations(WHOLE), st.lists(st.sampled_from(WHOLE), max_size=8))
def test_order_and_repeats_change_nothing(parts: list[Part], repeats: list[Part]) -> None:
    expected = folded(WHOLE)

    result = folded([*parts, *repeats])

    assert result.tagged == expected.tagged
    assert result.run == ("r2", "p")


@given(st.permutations(WHOLE))
def test_a_medium_is_whole_exactly_when_its_fold_misses_nothing(parts: list[Part]) -> None:
    completeness = Completeness()

    for n, (event, offset) in enumerate(parts, start=1):
        completeness.add(event, offset)
        assert completeness.whole == (folded(parts[:n]).tagged.missing == [])

    assert completeness.whole


PATHS: list[Part] = [
    (upload("r4"), 3),
    (framed([0, 1000, 2000], "r4", "f"), 3),
    (matched(0, [item("a", 0.0)], "r4", "f.s.e"), 5),
    (matched(2000, [item("d", 1.2)], "r4", "f.s.e"), 5),
    (dead("segment", 1000, "r4", "f.s"), 4),
    (matched(1000, [item("c", 0.05)], "r4", "f.t.e"), 6),
    (matched(2000, [item("x", 0.0)], "r4", "f.t.e"), 6),
]
"""A medium whose detector changed while it was under way, and whose dead letter was sent again."""


@given(st.permutations(PATHS), st.lists(st.sampled_from(PATHS), max_size=5))
def test_along_several_paths_order_and_repeats_change_nothing(
    parts: list[Part], repeats: list[Part]
) -> None:
    expected = folded(PATHS)

    result = folded([*parts, *repeats])

    assert result.tagged == expected.tagged
    assert result.run == ("r4", "f.t.e")


def test_what_one_path_has_not_done_another_may_have() -> None:
    tagged = folded(PATHS).tagged

    assert (tagged.status, tagged.missing, tagged.failures) == ("complete", [], [])
    assert [i.item_id for i in tagged.items] == [ident("a"), ident("c"), ident("x")]
    assert tagged.pipeline == "f.t.e"


def test_a_dead_letter_on_the_way_answers_for_its_frame() -> None:
    tagged = folded(PATHS[:5]).tagged

    assert (tagged.status, tagged.missing) == ("partial", [])
    assert tagged.failures == ["segment: not a picture"]
    assert tagged.pipeline == "f.s.e"


def test_vectors_of_another_embedder_repeat_nothing_and_are_kept_by_none() -> None:
    other = matched(1000, [item("c", 0.0)], "r4", "f.s.g")
    other.data.__dict__["embedder"] = "g"

    result = folded([*PATHS[:4], (other, 7)])

    assert [i.duplicate_of for i in result.tagged.items] == [None, None, None]
    assert [i.item_id for i in result.unique] == [ident("a"), ident("d")]
    assert (result.tagged.embedder, result.vectors.shape) == ("e", (2, 2))


ANY: list[Part] = [
    *WHOLE,
    *PATHS,
    (matched(0, [], "r4", "g.s.e"), 8),
    (framed([0], "r1", "new"), 2),
    (matched(0, [], "r1", "new"), 4),
    (dead("frames", root="r1"), 0),
    (dead("frames", root="r3"), 1),
    (upload("r3"), 2),
    (dead("segment", 1000, "r2"), 2),
    *((dead("analyze", time, root), 3) for time in (None, 0) for root in ("r1", "r2", "r3")),
]


@given(st.lists(st.sampled_from(ANY), max_size=14))
def test_whatever_came_is_whole_exactly_when_its_fold_misses_nothing(parts: list[Part]) -> None:
    completeness, known = Completeness(), MediaParts()
    for event, offset in parts:
        completeness.add(event, offset)
        known.add(event, offset)

    missing = fold(MEDIA, known, THRESHOLDS).tagged.missing

    assert completeness.whole == (missing == [])
    assert Completeness.of(known).whole == completeness.whole


def test_a_dead_letter_of_the_analysis_answers_nothing_about_frames() -> None:
    parts: list[Part] = [(upload(), 0), (dead("analyze"), 0), (dead("analyze", 0), 0)]

    assert folded(parts).tagged.missing == ["frames of upload r1"]
    assert not completeness_of(parts).whole
    assert not completeness_of([*parts, (framed([0]), 0)]).whole


def completeness_of(parts: Sequence[Part]) -> Completeness:
    completeness = Completeness()
    for event, offset in parts:
        completeness.add(event, offset)
    return completeness


def test_the_result_names_every_upload_it_answers() -> None:
    tagged = folded(WHOLE).tagged

    assert [u.root for u in tagged.uploads] == ["r1", "r2"]
    assert tagged.status == "complete"
    assert tagged.cached


def test_a_duplicate_points_at_the_earlier_item_it_repeats() -> None:
    result = folded(WHOLE)

    assert [(i.item_id, i.duplicate_of) for i in result.tagged.items] == [
        (ident("a"), None),
        (ident("b"), None),
        (ident("c"), ident("a")),
    ]
    assert [i.item_id for i in result.unique] == [ident("a"), ident("b")]
    assert result.vectors.shape == (2, 2)


def test_the_newest_list_of_frames_counts_whichever_came_first() -> None:
    parts: list[Part] = [
        (upload(), 0),
        (framed([0], pipeline="new"), 9),
        (framed([0, 500], pipeline="old"), 3),
        (matched(0, [item("n", 0)], pipeline="new"), 9),
        (matched(0, [item("o", 0)], pipeline="old"), 3),
    ]

    result = folded(parts)

    assert result.run == ("r1", "new")
    assert [i.item_id for i in result.tagged.items] == [ident("n")]
    assert result.tagged.status == "complete"


def test_a_refused_medium_fails_with_its_reason() -> None:
    tagged = folded([(upload(), 0), (dead("frames"), 0)]).tagged

    assert tagged.status == "failed"
    assert tagged.reason == "frames: not a picture"
    assert tagged.filename == "r1.jpg"


def test_success_beats_a_dead_letter() -> None:
    parts: list[Part] = [
        (upload(), 0),
        (framed([0]), 0),
        (dead("match", 0), 0),
        (matched(0, [item("a", 0)]), 0),
    ]

    tagged = folded(parts).tagged

    assert tagged.status == "complete"
    assert tagged.failures == []


@pytest.mark.parametrize(("frames", "status"), [([0, 500], "partial"), ([0], "failed")])
def test_a_frame_that_was_given_up_is_told(frames: list[int], status: str) -> None:
    parts: list[Part] = [(upload(), 0), (framed(frames), 0), (dead("segment", 0), 0)]
    parts += [(matched(time, []), 0) for time in frames if time]

    tagged = folded(parts).tagged

    assert tagged.status == status
    assert tagged.failures == ["segment: not a picture"]
    assert tagged.missing == []


def test_what_has_not_come_is_listed() -> None:
    tagged = folded([(upload(), 0), (framed([0, 500]), 0), (matched(0, []), 0)]).tagged

    assert tagged.status == "partial"
    assert tagged.missing == [f"items of frame {MEDIA}/000000500"]


def test_a_catalog_medium_says_points_only() -> None:
    parts: list[Part] = [(upload(), 0), (framed([0]), 0), (indexed(0, ["a", "b"]), 0)]

    tagged = folded(parts).tagged

    assert [point.point_id for point in tagged.points] == [ident("a"), ident("b")]
    assert tagged.items == []
    assert tagged.status == "complete"


def test_a_medium_without_items_is_complete() -> None:
    result = folded([(upload(), 0), (framed([0]), 0), (matched(0, []), 0)])

    assert result.tagged.status == "complete"
    assert result.unique == []

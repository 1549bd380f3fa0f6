"""Paths: what a stage appends, what leads to what, and ids of before there were paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core import paths

VERSIONS = st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4)
OLD = "78e30e0c5c36"


def test_a_path_is_eight_hex_digits_of_each_version() -> None:
    """Stored for good: blobs and state lie under them."""
    assert paths.path(["frames 1", "segment 1", "embed 1"]) == "4c77d52d.31bd7c35.42437b3e"


@given(VERSIONS)
def test_stage_by_stage_it_is_the_same_path(versions: list[str]) -> None:
    path = ""
    for version in versions:
        path = paths.extended(path, paths.step(version))

    assert path == paths.path(versions)


def test_a_stage_without_a_version_hands_the_path_on() -> None:
    assert paths.extended("0a1b2c3d.00000000", paths.step("")) == "0a1b2c3d.00000000"


@given(VERSIONS, VERSIONS)
def test_what_leads_to_what_is_a_question_of_whole_steps(
    upstream: list[str], more: list[str]
) -> None:
    one, other = paths.path(upstream), paths.path([*upstream, *more])

    assert paths.leads_to(one, other)
    assert paths.leads_to(one, one)
    assert not paths.leads_to(other, one)
    assert not paths.leads_to(one[:-1], one)


def test_an_id_of_before_is_handed_on_as_it_is_and_leads_to_itself_alone() -> None:
    assert paths.extended(OLD, paths.step("segment 2")) == OLD
    assert paths.leads_to(OLD, OLD)
    assert not paths.leads_to(OLD[:8], OLD)


def test_the_first_steps_of_a_path_are_what_others_may_share() -> None:
    assert paths.first("a.b.c", 2) == "a.b"
    assert paths.first("a", 2) == "a"

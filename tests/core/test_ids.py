"""Identity is derived: equal input, equal id; any difference, another id."""

from __future__ import annotations

from pathlib import Path

from core import ids


def test_ids_are_what_they_always_were() -> None:
    """A change here renames every medium, item and event that anybody has stored."""
    media = ids.media_id("ab" * 32, "query", None, None)
    frame = ids.frame_id(media, 0)

    assert media == "12d9584546e85bc7c1862d69c9262e2d"
    assert frame == f"{media}/000000000"
    assert ids.item_id(frame, "v1", 0) == "abc49492-f1b9-5dc2-b678-3c5bf71ba0d8"
    assert (
        ids.root_id("folder", "file:///a.jpg", 1, media) == "6bfd4f32-9c3b-511e-ab8e-0838d73ec3c3"
    )


def test_purpose_product_and_prompt_make_another_medium() -> None:
    content = "ab" * 32
    variants = {
        ids.media_id(content, "query", None, None),
        ids.media_id(content, "catalog", "1", None),
        ids.media_id(content, "catalog", "2", None),
        ids.media_id(content, "query", None, "dress."),
        ids.media_id(content, "query", None, ""),
    }

    assert len(variants) == 5


def test_an_event_id_repeats_for_equal_work_and_changes_with_its_content() -> None:
    first = ids.event_id("frames", "frames.extracted.v1", "parent", b"data")

    assert ids.event_id("frames", "frames.extracted.v1", "parent", b"data") == first
    assert ids.event_id("frames", "frames.extracted.v1", "parent", b"other") != first
    assert ids.event_id("frames", "frames.extracted.v1", "another", b"data") != first
    assert ids.event_id("segment", "frames.extracted.v1", "parent", b"data") != first


def test_each_announcement_of_a_place_is_a_root_of_its_own() -> None:
    roots = {ids.root_id("folder", "file:///a.jpg", n, "m") for n in range(3)}

    assert len(roots) == 3


def test_a_file_hashes_like_its_bytes(tmp_path: Path) -> None:
    data = b"x" * (3 << 20)
    path = tmp_path / "large"
    path.write_bytes(data)

    assert ids.file_hash(path) == ids.content_hash(data)

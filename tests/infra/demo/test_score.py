from __future__ import annotations

from core.events import Box, Frame, Match, MediaTagged, TaggedItem, Upload
from infra.demo.score import score
from infra.demo.truth import MediumTruth, Shot, Shown, View

_WHOLE = View(0, 0, 100, 100)
_LEFT: Box = (10, 10, 40, 90)
_RIGHT: Box = (60, 10, 90, 90)


def _photo() -> MediumTruth:
    garments = (Shown("tee", _LEFT), Shown("jeans", _RIGHT))
    return MediumTruth("photo.jpg", 100, 100, (Shot(0, 0, garments, _WHOLE, _WHOLE),))


def _film() -> MediumTruth:
    """Two shots of a second each; the camera of the second pans by half a picture."""
    moved = View(50, 0, 100, 100)
    shots = (
        Shot(0, 1000, (Shown("tee", _LEFT),), _WHOLE, _WHOLE),
        Shot(1000, 2000, (Shown("jeans", _RIGHT),), _WHOLE, moved),
    )
    return MediumTruth("film.mp4", 100, 100, shots)


def _frame(time_ms: int = 0, width: int = 100) -> Frame:
    return Frame(
        frame_id=f"m/{time_ms:09d}",
        blob_key="",
        time_ms=time_ms,
        timecode="",
        width=width,
        height=width,
    )


def _item(box: Box, *products: tuple[str, float], time_ms: int = 0, **more: str) -> TaggedItem:
    matches = [Match(product_id=p, score=s, point_id=p, payload={}) for p, s in products]
    return TaggedItem.model_validate(
        {
            "item_id": f"{time_ms}-{box}",
            "label": "thing",
            "category": "topwear",
            "score": 0.9,
            "box": box,
            "crop_key": "c",
            "frame_id": f"m/{time_ms:09d}",
            "matches": matches,
            **more,
        }
    )


def _result(
    name: str, frames: list[Frame], items: list[TaggedItem], revision: int = 1
) -> MediaTagged:
    return MediaTagged(
        media_id="m",
        revision=revision,
        status="complete",
        filename=name,
        frames=frames,
        items=items,
    )


def test_an_item_on_the_garment_with_its_product_first_is_a_match() -> None:
    items = [_item(_LEFT, ("tee", 0.9), ("jeans", 0.8)), _item(_RIGHT, ("jeans", 0.9))]

    result = score([_photo()], [_result("photo.jpg", [_frame()], items)])

    assert (result.found, result.matched, result.total, result.extra) == (2, 2, 2, 0)
    assert result.share == 1.0


def test_the_best_match_counts_whatever_the_order() -> None:
    items = [_item(_LEFT, ("jeans", 0.8), ("tee", 0.9))]

    assert score([_photo()], [_result("photo.jpg", [_frame()], items)]).matched == 1


def test_an_item_beside_the_garment_is_an_extra_and_no_find() -> None:
    items = [_item((30, 10, 60, 90), ("tee", 0.9))]

    result = score([_photo()], [_result("photo.jpg", [_frame()], items)])

    assert (result.found, result.extra) == (0, 1)


def test_one_item_over_two_garments_is_found_once_at_most() -> None:
    items = [_item(_LEFT, ("tee", 0.9)), _item(_LEFT, ("tee", 0.9))]

    result = score([_photo()], [_result("photo.jpg", [_frame()], items)])

    assert (result.found, result.extra) == (1, 1)


def test_a_find_with_another_product_is_not_matched() -> None:
    items = [_item(_LEFT, ("jeans", 0.99))]

    result = score([_photo()], [_result("photo.jpg", [_frame()], items)])

    assert (result.found, result.matched) == (1, 0)
    assert result.rows[0].best == "jeans"


def test_a_medium_without_result_leaves_its_garments_unfound() -> None:
    result = score([_photo()], [])

    assert (result.found, result.total, result.share) == (0, 2, 0.0)


def test_nothing_drawn_is_no_success() -> None:
    assert score([], []).share == 0.0


def test_boxes_follow_the_camera_to_the_key_frame_s_time() -> None:
    half_way = (_RIGHT[0] - 25, _RIGHT[1], _RIGHT[2] - 25, _RIGHT[3])
    frames = [_frame(500), _frame(1500)]
    items = [
        _item(_LEFT, ("tee", 0.9), time_ms=500),
        _item(half_way, ("jeans", 0.9), time_ms=1500),
    ]

    result = score([_film()], [_result("film.mp4", frames, items)])

    assert result.matched == 2
    assert [round(row.iou, 3) for row in result.rows] == [1.0, 1.0]


def test_boxes_follow_the_size_of_the_key_frame() -> None:
    items = [_item((20, 20, 80, 180), ("tee", 0.9))]

    assert score([_photo()], [_result("photo.jpg", [_frame(width=200)], items)]).matched == 1


def test_a_shot_without_key_frame_counts_as_missed() -> None:
    items = [_item(_LEFT, ("tee", 0.9), time_ms=500)]

    result = score([_film()], [_result("film.mp4", [_frame(500)], items)])

    assert (result.matched, result.total) == (1, 2)


def test_a_duplicate_is_judged_by_the_item_it_repeats() -> None:
    first = _item(_LEFT, ("tee", 0.9))
    again = _item(_RIGHT, duplicate_of=first.item_id)
    truth = MediumTruth(
        "photo.jpg",
        100,
        100,
        (Shot(0, 0, (Shown("tee", _LEFT), Shown("tee", _RIGHT)), _WHOLE, _WHOLE),),
    )

    assert score([truth], [_result("photo.jpg", [_frame()], [first, again])]).matched == 2


def test_the_highest_revision_counts_in_whatever_order_they_come() -> None:
    old = _result("photo.jpg", [_frame()], [])
    new = _result("photo.jpg", [_frame()], [_item(_LEFT, ("tee", 0.9))], revision=2)

    assert score([_photo()], [old, new]).matched == 1
    assert score([_photo()], [new, old]).matched == 1


def test_a_result_is_known_by_the_names_it_was_uploaded_under() -> None:
    upload = Upload(root="r", uri="file:///in/photo.jpg", filename="drops/photo.jpg")
    result = _result("other.jpg", [_frame()], [_item(_LEFT, ("tee", 0.9))])

    assert score([_photo()], [result.model_copy(update={"uploads": [upload]})]).matched == 1

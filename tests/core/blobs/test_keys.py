"""Keys of blobs that lie in stores already: a change of one loses what is there."""

from __future__ import annotations

from core.blobs import keys


def test_blobs_lie_where_they_always_lay() -> None:
    crops = keys.crops_prefix("p1", "m1/000012345")

    assert keys.original_key("abcd", ".JPG") == "media/ab/abcd.jpg"
    assert keys.frame_key("p1", "m1", 12345) == "frames/p1/m1/000012345.jpg"
    assert keys.crop_key(crops, 7) == "crops/p1/m1/000012345/007.png"
    assert keys.masked_key(crops, 7) == "crops/p1/m1/000012345/007-masked.png"
    assert keys.data_key("items.matched", "abcd") == "data/items.matched/abcd.json"

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


def test_the_key_of_data_gives_back_the_hash_and_another_key_does_not() -> None:
    digest = "0123456789abcdef" * 4
    key = keys.data_key("items.matched", digest)

    assert keys.data_hash(key, "items.matched") == digest
    for other in (key + "\n", key.upper(), f"x/{key}", key.replace("0", "", 1), ""):
        assert keys.data_hash(other, "items.matched") is None
    assert keys.data_hash(key, "media.tagged") is None

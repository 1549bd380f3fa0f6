"""Any key becomes a name that S3 servers take, and the start of a key the start of its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidKeyError
from core.state.s3_keys import key_of, name_prefix, object_name

_segments = st.text("aZ0._-=%~ /\\\0\nü日🎽", min_size=1, max_size=4).map(
    lambda text: text.replace("/", "a" * 199)
)
_keys = (
    st.lists(_segments.filter(lambda s: s not in (".", "..")), min_size=1, max_size=3)
    .map("/".join)
    .filter(lambda key: len(key) < 900)
)
_root = "state/"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("open/2/0a1b2c", "state/open/2/0a1b2c="),
        ("running/segment/host-1", "state/running/segment/host-1="),
        ("with space/ü=", "state/with%20space/%C3%BC%3D="),
        (".hidden/...", "state/%2Ehidden/%2E..="),
        ("a" * 200 + "../b", "state/" + "a" * 200 + "%/%../b="),
        ("a" * 201 + "/b", "state/" + "a" * 200 + "%/%a/b="),
    ],
)
def test_names_can_be_read(key: str, name: str) -> None:
    assert object_name(key, _root) == name


@given(_keys)
def test_a_name_tells_its_key(key: str) -> None:
    assert key_of(object_name(key, _root), _root) == key


@given(_keys, _keys, st.integers(0, 12))
def test_the_start_of_a_key_is_the_start_of_its_name_and_of_no_others(
    key: str, other: str, length: int
) -> None:
    start = name_prefix(key[:length], _root)

    assert start is not None
    assert object_name(key, _root).startswith(start)
    assert object_name(other, _root).startswith(start) == other.startswith(key[:length])


@given(_keys, _keys)
def test_no_value_lies_below_another(key: str, other: str) -> None:
    assert not object_name(key, _root).startswith(object_name(other, _root) + "/")


@given(_keys)
def test_names_are_what_servers_take(key: str) -> None:
    name = object_name(key, _root)

    assert name.isascii()
    assert name.isprintable()
    assert "\\" not in name
    assert all(0 < len(part) <= 255 and part[0] != "." for part in name.split("/"))


@pytest.mark.parametrize("prefix", ["/", "a//", "./", "a/../b", "\ud800", "x" * 2000])
def test_what_no_key_starts_with_has_no_names(prefix: str) -> None:
    assert name_prefix(prefix, _root) is None


def test_a_key_that_s3_cannot_take_is_refused() -> None:
    with pytest.raises(InvalidKeyError, match="1024 bytes"):
        object_name("ü" * 400, _root)


def test_what_others_put_there_is_no_key() -> None:
    assert key_of("state/notes.txt", _root) is None

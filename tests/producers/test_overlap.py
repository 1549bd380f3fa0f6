from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from producers.overlap import refuse_overlap


@pytest.mark.parametrize(
    ("watched", "data", "relation"),
    [
        ("photos", "photos/data", "contains"),
        ("photos", "photos/deep/not/there/yet", "contains"),
        ("photos", "photos", "contains"),
        ("data/blobs", "data", "lies in"),
        ("link", "photos/data", "contains"),
        ("photos/../data/blobs", "data", "lies in"),
    ],
)
def test_folders_within_one_another_are_refused_and_both_named(
    tmp_path: Path, watched: str, data: str, relation: str
) -> None:
    (tmp_path / "photos" / "data").mkdir(parents=True)
    (tmp_path / "data" / "blobs").mkdir(parents=True)
    (tmp_path / "link").symlink_to("photos")

    with pytest.raises(SettingsError, match=relation) as refused:
        refuse_overlap(tmp_path / watched, tmp_path / data)

    assert str(tmp_path / watched) in str(refused.value)
    assert str(tmp_path / data) in str(refused.value)


def test_neighbours_are_fine_even_with_a_common_prefix(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()

    refuse_overlap(tmp_path / "photos", tmp_path / "photos-data")

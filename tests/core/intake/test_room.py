"""Room for originals is asked for before they are read; what does not fit concerns only itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.blobs.port import Blob
from core.errors import DoesNotFitError, OutageError
from core.intake.intake import Announced, Submission
from tests.core.intake.test_intake import LARGE, Spying, write
from tests.producers.engine import Engine, photo


class Small(Spying):
    """A blob store on a disk with this much room."""

    def __init__(self, blobs: Any, size: int) -> None:
        super().__init__(blobs)
        self._left = size

    async def put(self, blobs: Sequence[Blob]) -> None:
        await super().put(blobs)
        for blob in blobs:
            size = len(blob.data) if isinstance(blob.data, bytes) else blob.data.stat().st_size
            self._left -= size

    async def room(self) -> int:
        return self._left


def submission(path: Path) -> Submission:
    return Submission(path, path.as_uri(), "submit")


async def test_a_file_that_does_not_fit_is_refused_unread_and_the_others_pass(
    engine: Engine, tmp_path: Path
) -> None:
    blobs = Small(engine.blobs, 6 * LARGE)
    large = tmp_path / "large.mp4"
    large.touch()
    os.truncate(large, 1 << 43)  # of nothing, and yet hours of reading
    small = write(tmp_path / "small.mp4", photo("s", 2 * LARGE))

    refused, announced = await engine.intake(blobs=blobs).announce_many(
        [submission(large), submission(small)]
    )

    assert isinstance(refused, DoesNotFitError)
    assert "large.mp4: 8,388,608 MiB do not fit" in str(refused)
    assert "are missing" in str(refused)
    assert isinstance(announced, Announced)


async def test_files_announced_together_do_not_count_on_the_same_room(
    engine: Engine, tmp_path: Path
) -> None:
    blobs = Small(engine.blobs, 5 * LARGE)
    files = [write(tmp_path / f"{n}.mp4", photo(str(n), 3 * LARGE)) for n in range(3)]

    outcomes = await engine.intake(blobs=blobs).announce_many(list(map(submission, files)))

    assert [type(outcome) for outcome in outcomes] == [Announced, DoesNotFitError, DoesNotFitError]


async def test_what_is_stored_already_needs_no_room(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", photo("a", 2 * LARGE))
    await engine.intake().announce(path, uri=path.as_uri(), producer="submit")

    again = await engine.intake(blobs=Small(engine.blobs, LARGE)).announce(
        path, uri=path.as_uri(), producer="submit"
    )

    assert again.announcement == 2


async def test_a_store_without_any_room_is_an_outage_and_no_fault_of_the_file(
    engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.mp4", photo("a", LARGE))

    with pytest.raises(OutageError, match="no room for originals"):
        await engine.intake(blobs=Small(engine.blobs, 100)).announce(
            path, uri=path.as_uri(), producer="submit"
        )

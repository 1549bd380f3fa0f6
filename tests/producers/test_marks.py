"""The marks of a place, in memory."""

from __future__ import annotations

import tracemalloc

from producers.marks import SeenMarks
from tests.memory_state import MemoryStateStore

_MOST_BYTES = 200


def test_only_the_newest_version_of_a_uri_is_known() -> None:
    marks = SeenMarks(MemoryStateStore(), "test", "x:shelf")

    marks.learn("x:shelf/look", "1")
    marks.learn("x:shelf/\udcff", "1")
    marks.learn("x:shelf/look", "2")

    assert marks.knows("x:shelf/look", "2")
    assert not marks.knows("x:shelf/look", "1")
    assert not marks.knows("x:shelf", "2")
    assert len(marks) == 2


def test_a_file_costs_the_same_however_deep_its_folder_is() -> None:
    marks = SeenMarks(MemoryStateStore(), "test", "x:shelf")
    deep = "x:shelf/" + "folder/" * 100

    tracemalloc.start()
    for number in range(2000):
        marks.learn(f"{deep}{number}", f"{number}:1790000000000000000:{number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kept < _MOST_BYTES * len(marks)

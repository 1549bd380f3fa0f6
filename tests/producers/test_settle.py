from __future__ import annotations

from core.intake.originals import FileMark
from producers.settle import Settling

PATH = "/photos/a.jpg"


def mark(size: int, mtime_ns: int = 0, inode: int = 1) -> FileMark:
    return FileMark(size, mtime_ns, inode)


def settling() -> Settling:
    return Settling(settle_s=2.0, undecodable_after_s=60.0)


def test_a_file_is_taken_once_it_has_been_still_for_the_settle_time() -> None:
    files = settling()

    assert not files.observe(PATH, mark(5), 0.0)
    assert not files.observe(PATH, mark(5), 1.9)
    assert files.observe(PATH, mark(5), 2.0)


def test_size_mtime_and_inode_each_count_as_a_change() -> None:
    for other in (mark(6), mark(5, mtime_ns=1), mark(5, inode=2)):
        files = settling()
        files.observe(PATH, mark(5), 0.0)

        assert not files.observe(PATH, other, 2.0)
        assert not files.observe(PATH, other, 3.9)
        assert files.observe(PATH, other, 4.0)


def test_a_growing_file_is_waited_for_without_end() -> None:
    files = settling()

    for second in range(100_000):
        assert not files.observe(PATH, mark(second), float(second))

    assert PATH in files
    assert files.observe(PATH, mark(99_999), 100_001.0)


def test_a_growing_file_costs_one_planned_look_however_often_it_changes() -> None:
    files = settling()

    for tick in range(1_000):
        files.observe(PATH, mark(tick), tick / 1_000)

    assert len(files._looks) == 1


def test_looks_are_due_when_a_file_may_have_settled() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe("/photos/b.jpg", mark(5), 1.0)

    assert files.next_look() == 2.0
    assert files.due(1.9) == []
    assert files.due(2.0) == [PATH]
    assert files.due(3.0) == ["/photos/b.jpg"]


def test_a_look_that_came_too_early_is_planned_anew() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(6), 1.5)

    assert files.due(2.0) == []
    assert files.next_look() == 3.5
    assert files.due(3.5) == [PATH]


def test_a_taken_file_is_not_offered_twice() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    assert files.observe(PATH, mark(5), 2.0)

    assert not files.observe(PATH, mark(5), 9.0)
    assert files.next_look() is None


def test_an_announced_file_is_done() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)

    files.done(PATH, mark(5), 2.1)

    assert len(files) == 0


def test_a_file_that_changed_after_it_was_taken_settles_again() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)
    files.observe(PATH, mark(7), 2.5)

    files.done(PATH, mark(5), 3.0)

    assert PATH in files
    assert files.due(4.5) == [PATH]
    assert files.observe(PATH, mark(7), 4.5)


def test_a_file_that_changed_while_it_was_read_settles_anew() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)

    files.retry(PATH, mark(5), 3.0)

    assert not files.observe(PATH, mark(5), 4.9)
    assert files.observe(PATH, mark(5), 5.0)


def test_a_still_file_that_does_not_decode_is_taken_again_when_patience_ends() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)
    assert not files.patience_over(PATH, 2.0)

    assert files.refuse(PATH, mark(5), 2.0, "undecodable")

    assert files.refused("undecodable") == 1
    assert not files.observe(PATH, mark(5), 59.9)
    assert files.due(60.0) == [PATH]
    assert files.observe(PATH, mark(5), 60.0)
    assert files.patience_over(PATH, 60.0)


def test_a_change_ends_the_wait_of_a_file_that_did_not_decode() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)
    files.refuse(PATH, mark(5), 2.0, "undecodable")

    files.observe(PATH, mark(9), 20.0)

    assert files.refused("undecodable") == 0
    assert files.due(22.0) == [PATH]
    assert files.observe(PATH, mark(9), 22.0)
    assert not files.patience_over(PATH, 60.0)


def test_a_repeated_refusal_is_no_news_and_waits_another_round() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)
    files.observe(PATH, mark(5), 2.0)
    files.refuse(PATH, mark(5), 2.0, "unreadable")
    files.observe(PATH, mark(5), 60.0)

    assert not files.refuse(PATH, mark(5), 60.0, "unreadable")

    assert files.next_look() == 120.0


def test_a_deleted_file_is_forgotten_with_its_looks() -> None:
    files = settling()
    files.observe(PATH, mark(5), 0.0)

    files.forget(PATH)

    assert len(files) == 0
    assert files.next_look() is None
    assert files.due(100.0) == []
    files.done(PATH, mark(5), 100.0)
    assert not files.refuse(PATH, mark(5), 100.0, "undecodable")

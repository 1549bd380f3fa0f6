"""What may begin and what may be read, over the partitions of a member."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.log.port import Record, TopicPartition
from core.runtime.window import Window, Work

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


def record(offset: int, tp: TopicPartition = A) -> Record:
    return Record(tp, offset, 0, None, b"", {})


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=40),
    st.integers(1, 16),
    st.randoms(use_true_random=False),
)
def test_everything_begins_once_in_order_and_never_further_than_the_spread(
    gaps: list[int], spread: int, random: object
) -> None:
    window = Window(spread)
    window.take({A: 0})
    offsets = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    unread, running, begun = list(offsets), list[Work](), list[int]()
    committed = 0

    def begin(work: Work) -> None:
        assert work.record.offset < committed + spread
        running.append(work)
        begun.append(work.record.offset)

    while unread or running or window.held:
        if unread and A not in window.full():
            for offset in unread[: window.share]:
                if (work := window.accept(record(offset))) is not None:
                    begin(work)
            del unread[: window.share]
        if running:
            done = running.pop(random.randrange(len(running)))  # type: ignore[attr-defined]
            done.tracker.finish(done.record.offset)
        if random.random() < 0.3 or not running:  # type: ignore[attr-defined]
            for tracker, offset in window.committable().values():
                committed = offset
                tracker.committed(offset)
            for work in window.release():
                begin(work)

    assert begun == offsets


def test_a_partition_that_is_full_is_pressed_once_a_commit_lets_it_go_on() -> None:
    window = Window(8)
    window.take({A: 0})
    works = [work for n in range(7) if (work := window.accept(record(n))) is not None]
    [tracker] = window

    assert window.full() == {A}
    assert not window.pressed(tracker)
    works[0].tracker.finish(0)
    assert window.pressed(tracker)
    tracker.committed(1)
    assert window.full() == set()


def test_what_is_forgotten_is_not_held_and_not_ours() -> None:
    window = Window(4)
    window.take({A: 0, B: 0})
    assert window.accept(record(9)) is None
    assert window.accept(record(9, B)) is None
    [first, _] = window

    window.forget([A])

    assert window.held == 1
    assert window.owned({A, B}) == {B}
    assert not window.holds(A, first)
    assert window.accept(record(10)) is None
    assert list(window.release()) == []


def test_a_partition_that_comes_back_is_counted_from_what_is_committed_then() -> None:
    window = Window(4)
    window.take({A: 0})
    old = window.accept(record(0))
    assert old is not None

    window.forget([A])
    window.take({A: 3})

    assert not window.holds(A, old.tracker)
    assert window.accept(record(2)) is None
    assert window.accept(record(3)) is not None

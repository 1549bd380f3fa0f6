"""The commit tracker and the lanes, in any order of completion and with any crash point."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.runtime.lanes import CommitTracker, Lanes

offsets = st.lists(st.integers(0, 500), unique=True, min_size=1, max_size=40).map(sorted)


@given(offsets, st.randoms(use_true_random=False), st.integers(0, 40))
def test_what_is_committed_was_done_and_what_was_not_done_is_redelivered(
    delivered: list[int], random: object, crash_after: int
) -> None:
    tracker = CommitTracker()
    for offset in delivered:
        assert tracker.deliver(offset)
    order = list(delivered)
    random.shuffle(order)  # type: ignore[attr-defined]

    done = order[:crash_after]
    for offset in done:
        tracker.finish(offset)

    committed = tracker.committable()
    redelivered = [o for o in delivered if committed is None or o >= committed]
    assert set(delivered) - set(done) <= set(redelivered)
    assert all(o in done for o in delivered if o not in redelivered)


@given(offsets)
def test_all_done_commits_one_past_the_newest(delivered: list[int]) -> None:
    tracker = CommitTracker()
    for offset in delivered:
        tracker.deliver(offset)

    for offset in reversed(delivered):
        tracker.finish(offset)

    assert tracker.committable() == delivered[-1] + 1


def test_commit_waits_for_the_slowest_offset() -> None:
    tracker = CommitTracker(start=5)
    for offset in (5, 6, 7):
        tracker.deliver(offset)

    tracker.finish(6)
    tracker.finish(7)

    assert tracker.committable() is None
    tracker.finish(5)
    assert tracker.committable() == 8


def test_an_offset_behind_what_was_read_is_not_delivered_again() -> None:
    tracker = CommitTracker()
    tracker.deliver(3)
    tracker.finish(3)

    assert not tracker.deliver(3)
    assert not tracker.deliver(2)
    assert tracker.deliver(4)


def test_what_may_begin_is_counted_from_what_is_committed() -> None:
    tracker = CommitTracker(start=10, spread=4)
    for offset in (10, 11, 12):
        tracker.deliver(offset)

    assert tracker.fits(13)
    assert not tracker.fits(14)
    assert tracker.room == 1
    tracker.finish(10)
    assert not tracker.fits(14)
    assert tracker.room_to_gain == 2
    tracker.committed(11)
    assert tracker.fits(14)
    assert tracker.room == 2


def test_offsets_that_were_never_there_are_done() -> None:
    tracker = CommitTracker(start=0, spread=8)
    tracker.deliver(40)

    assert not tracker.fits(40)
    assert tracker.committable() == 40
    tracker.committed(40)
    assert tracker.fits(40)


def test_nothing_moved_is_nothing_to_commit() -> None:
    tracker = CommitTracker()
    tracker.deliver(0)
    tracker.finish(0)
    tracker.committed(1)

    assert tracker.committable() is None


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers()), max_size=60),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_lanes_keep_order_inside_and_never_exceed_the_bound(
    items: list[tuple[str, int]], concurrency: int, random: object
) -> None:
    lanes: Lanes[tuple[str, int]] = Lanes(concurrency)
    waiting = list(items)
    running: dict[str, tuple[str, int]] = {}
    seen: dict[str, list[int]] = {}

    while waiting or running or lanes.waiting:
        for _ in range(random.randint(0, 3)):  # type: ignore[attr-defined]
            if waiting:
                item = waiting.pop(0)
                lanes.add(item[0], item)
        while (ready := lanes.take()) is not None:
            lane, item = ready
            assert lane not in running
            running[lane] = item
        assert len(running) <= concurrency
        if running:
            lane = random.choice(sorted(running))  # type: ignore[attr-defined]
            seen.setdefault(lane, []).append(running.pop(lane)[1])
            lanes.finish(lane)

    assert seen == {
        lane: [n for key, n in items if key == lane] for lane in {key for key, _ in items}
    }


def test_a_busy_lane_does_not_starve_the_others() -> None:
    lanes: Lanes[int] = Lanes(1)
    for number in range(3):
        lanes.add("busy", number)
    lanes.add("quiet", 9)

    order = []
    while (ready := lanes.take()) is not None:
        lane, item = ready
        order.append(item)
        lanes.finish(lane)

    assert order == [0, 9, 1, 2]


def test_dropped_items_leave_the_others_in_order() -> None:
    lanes: Lanes[int] = Lanes(1)
    for number in range(6):
        lanes.add("a", number)
    lanes.take()

    dropped = lanes.drop(lambda number: number % 2 == 1)

    assert dropped == 3
    lanes.finish("a")
    assert lanes.take() == ("a", 2)


def test_a_lane_whose_waiting_items_were_dropped_can_be_used_again() -> None:
    lanes: Lanes[int] = Lanes(2)
    lanes.add("a", 1)
    lanes.drop(lambda _: True)

    assert lanes.take() is None
    lanes.add("a", 2)
    assert lanes.take() == ("a", 2)

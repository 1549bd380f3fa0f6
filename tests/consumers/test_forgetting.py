"""What stays of a medium's parts, what goes, and what is counted, however often it is dropped."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.results.completeness import Completeness
from consumers.results.fold import Thresholds, fold
from core.envelope import Event
from core.errors import OutageError
from core.events import Data, MediaAnalyzed, MediaTagged
from core.results.parts import PartStore
from tests.consumers.media import MEDIA, dead, framed, item, matched, upload
from tests.memory_state import MemoryStateStore

KEEP = 3


class FlakyState(MemoryStateStore):
    """The store of a host that dies before it has deleted anything."""

    def __init__(self) -> None:
        super().__init__()
        self.dying = False

    async def delete(self, keys: object) -> None:
        if self.dying:
            raise OutageError("the host is gone")
        await super().delete(keys)  # type: ignore[arg-type]


@dataclass
class Medium:
    """A medium whose events are stored and forgotten as ``results`` does."""

    state: FlakyState = field(default_factory=FlakyState)
    keep: int = KEEP
    offset: int = 100
    second: int = 0
    outline: Completeness | None = None

    @property
    def parts(self) -> PartStore:
        return PartStore(self.state, self.keep)

    def uploaded(self, root: str) -> tuple[Event[Data], int]:
        """A new announcement, with its offset in the log."""
        self.offset += 1
        self.second += 1
        time = f"2026-01-01T00:{self.second // 60:02}:{self.second % 60:02}.000Z"
        return replace(upload(root), time=time), self.offset

    async def read(self, event: Event[Data], offset: int) -> None:
        if self.outline is None:
            self.outline = Completeness.of(await self.parts.parts(MEDIA))
        position = self.outline.position(event, offset)
        if position is not None:
            await self.parts.put_part(0, event, position)
            self.outline.add(event, position)

    async def drop(self, root: str) -> tuple[Event[Data], int]:
        """Announced, framed and matched; gives the announcement as it stands in the log."""
        announced = self.uploaded(root)
        await self.read(*announced)
        for event in (framed([0], root), matched(0, [item("a", 0)], root), _analyzed(root)):
            await self.read(event, announced[1])
        return announced

    async def tagged(self) -> MediaTagged:
        return fold(MEDIA, await self.parts.parts(MEDIA), Thresholds(0.9, 0.85)).tagged

    async def settle(self) -> MediaTagged:
        """The result, after everything was forgotten that it can do without."""
        before = await self.tagged()
        parts = await self.parts.parts(MEDIA)
        assert Completeness.of(parts).whole == (before.missing == [])
        if not before.missing:
            await self.parts.forget(MEDIA, parts)
            self.outline = None
        assert await self.tagged() == before
        return before


def _analyzed(root: str) -> Event[Data]:
    data = MediaAnalyzed(media_id=MEDIA, clothing_description=f"as in {root}")
    return Event(f"analysis-{root}", "/test", MEDIA, root, data)


def roots(tagged: MediaTagged) -> set[str]:
    return {named.root for named in tagged.uploads}


async def test_a_medium_dropped_a_thousand_times_takes_no_more_room() -> None:
    medium = Medium(keep=100)
    sizes = []

    for number in range(1000):
        await medium.drop(f"r{number:03}")
        if number % 50 == 49:
            tagged = await medium.settle()
            sizes.append(len(medium.state.values))
            assert f"r{number:03}" in roots(tagged)
            assert tagged.upload_count == number + 1
            assert tagged.analysis == _analyzed(f"r{number:03}").data

    assert set(sizes[2:]) == {sizes[2]}
    assert sizes[2] < 110
    assert roots(tagged) == {f"r{number}" for number in range(900, 1000)}


async def test_a_medium_refused_again_and_again_takes_no_more_room_either() -> None:
    medium = Medium()
    sizes = []

    for number in range(12):
        await medium.read(*medium.uploaded(f"r{number:02}"))
        await medium.read(dead("frames", root=f"r{number:02}"), number)
        tagged = await medium.settle()
        sizes.append(len(medium.state.values))

    assert tagged.status == "failed"
    assert (tagged.upload_count, roots(tagged)) == (12, {"r09", "r10", "r11"})
    assert max(sizes[4:]) == sizes[4]


async def test_what_is_read_again_is_counted_once() -> None:
    medium = Medium()
    log = [await medium.drop(f"r{number}") for number in range(8)]
    before = await medium.settle()

    for announced in log:
        await medium.read(*announced)

    assert await medium.settle() == before
    assert before.upload_count == 8


async def test_uploads_whose_parts_outlived_a_crash_are_counted_once() -> None:
    medium = Medium()
    for number in range(8):
        await medium.drop(f"r{number}")
    medium.state.dying = True
    with pytest.raises(OutageError):
        await medium.settle()
    medium.state.dying = False
    stale = len(medium.state.values)

    assert (await medium.settle()).upload_count == 8
    assert len(medium.state.values) < stale


async def test_an_upload_to_a_log_that_began_anew_is_answered_and_counted() -> None:
    medium = Medium()
    for number in range(8):
        await medium.drop(f"r{number}")
    await medium.settle()
    medium.offset = -1

    again = await medium.drop("new-0")
    await medium.read(*again)
    await medium.drop("new-1")
    tagged = await medium.settle()

    assert tagged.upload_count == 10
    assert {"new-0", "new-1"} <= roots(tagged)


async def test_a_forgotten_upload_that_is_answered_after_all_is_named() -> None:
    medium = Medium()
    for number in range(8):
        await medium.read(*medium.uploaded(f"r{number}"))
        await medium.read(dead("frames", root=f"r{number}"), number)
    await medium.settle()

    await medium.read(framed([0], "r0"), 50)
    await medium.read(matched(0, [], "r0"), 50)
    tagged = await medium.settle()

    assert (tagged.status, tagged.upload_count) == ("complete", 8)
    assert roots(tagged) == {"r0", "r6", "r7"}


async def test_an_old_upload_that_the_frames_are_of_stays_named() -> None:
    medium = Medium()
    for number in range(8):
        await medium.drop(f"r{number}")
    await medium.read(framed([0], "r1", "new"), 900)
    await medium.read(matched(0, [], "r1", "new"), 900)

    tagged = await medium.settle()
    assert (roots(tagged), tagged.upload_count) == ({"r1", "r6", "r7"}, 8)

    await medium.drop("r8")
    await medium.read(framed([0], "r8", "new"), 901)
    await medium.read(matched(0, [], "r8", "new"), 901)
    tagged = await medium.settle()
    assert (roots(tagged), tagged.upload_count) == ({"r6", "r7", "r8"}, 9)


async def test_uploads_stored_before_they_had_positions_are_told_by_their_times() -> None:
    medium = Medium()
    for number in (4, 2, 0, 1, 3):
        time = f"2026-01-01T00:00:0{number}.000Z"
        await medium.parts.put_part(0, replace(upload(f"r{number}"), time=time), 0)
        await medium.read(framed([0], f"r{number}"), number)
        await medium.read(matched(0, [], f"r{number}"), number)

    tagged = await medium.settle()

    assert (roots(tagged), tagged.upload_count) == ({"r2", "r3", "r4"}, 5)


async def test_items_read_again_of_runs_long_forgotten_do_not_pile_up() -> None:
    medium = Medium()
    for number in range(8):
        await medium.drop(f"r{number}")
    await medium.settle()
    size = len(medium.state.values)

    for number in range(30):
        await medium.read(matched(0, [item("a", 0)], f"r{number}"), number)
    await medium.settle()

    # They look like items ahead of their list, so the newest stay.
    assert len(medium.state.values) <= size + 2 * KEEP


_ROOTS = [f"r{number}" for number in range(6)]
_roots, _paths, _times = (st.sampled_from(some) for some in (_ROOTS, ["p", "q"], [None, 0, 1]))


def _whole(root: str, path: str) -> list[Event[Data]]:
    frames = [matched(0, [item(root, 0)], root, path), matched(1, [], root, path)]
    return [upload(root), framed([0, 1], root, path), *frames]


def _refused(root: str, stage: str, time: int | None) -> list[Event[Data]]:
    return [upload(root), dead(stage, time, root)]


_drops = st.builds(_whole, _roots, _paths)
_steps = st.one_of(
    _drops,
    _drops,
    _drops.flatmap(lambda events: st.lists(st.sampled_from(events), max_size=3)),
    st.builds(_refused, _roots, st.sampled_from(["frames", "segment", "analyze"]), _times),
    st.builds(lambda root: [_analyzed(root)], _roots),
)


@settings(deadline=None)
@given(st.lists(_steps, max_size=12))
async def test_forgetting_changes_no_result(steps: list[list[Event[Data]]]) -> None:
    medium = Medium()
    uploads: dict[str, tuple[Event[Data], int]] = {}

    for offset, events in enumerate(steps):
        for event in events:
            if event.data.topic == "media.uploaded":
                await medium.read(*uploads.setdefault(event.root, medium.uploaded(event.root)))
            else:
                await medium.read(event, offset)
        tagged = await medium.settle()

        assert tagged.upload_count == len(uploads)
        assert len(tagged.uploads) <= KEEP

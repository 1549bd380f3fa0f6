"""Holds an engine's results against what was drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from core.events import Box, Frame, MediaTagged, TaggedItem
from infra.demo.truth import MediumTruth, Shot, Shown

FOUND_IOU = 0.5
"""Overlap with the drawn box from which an item counts as that garment."""

_LONGEST_CHAIN = 8
_NO_FRAME: tuple[None] = (None,)


@dataclass(frozen=True, slots=True)
class Row:
    """One drawn garment in one frame, and what became of it.

    Attributes:
        filename: of the medium.
        time_ms: of the key frame; of the shot's start where it has none.
        product_id: what was drawn.
        iou: overlap of the best item with the drawn box, 0 where there is none.
        label: what the item was called; empty where nothing was found.
        best: product of its best match, None without one.
        similarity: cosine of that match.
    """

    filename: str
    time_ms: int
    product_id: str
    iou: float = 0.0
    label: str = ""
    best: str | None = None
    similarity: float = 0.0

    @property
    def found(self) -> bool:
        """An item lies where the garment was drawn."""
        return self.iou >= FOUND_IOU

    @property
    def matched(self) -> bool:
        """It was found, and its best match is the product it was drawn from."""
        return self.found and self.best == self.product_id


@dataclass(frozen=True, slots=True)
class Score:
    """All rows, and how many items were reported where nothing was drawn."""

    rows: tuple[Row, ...]
    extra: int

    @property
    def total(self) -> int:
        return len(self.rows)

    @property
    def found(self) -> int:
        return sum(row.found for row in self.rows)

    @property
    def matched(self) -> int:
        return sum(row.matched for row in self.rows)

    @property
    def share(self) -> float:
        """Matched of all, 0 to 1; 0 where nothing was drawn."""
        return self.matched / self.total if self.rows else 0.0


def score(truth: Sequence[MediumTruth], results: Iterable[MediaTagged]) -> Score:
    """Compares every key frame with what was drawn at its time.

    A medium's highest revision counts. A shot without a key frame, and a medium without a result,
    leave all their garments unfound.
    """
    newest = _newest(results)
    rows: list[Row] = []
    extra = 0
    for medium in truth:
        result = newest.get(medium.filename)
        for shot, frame in _looked_at(medium, result):
            if frame is None or result is None:
                shown = shot.garments
                rows += (Row(medium.filename, shot.start_ms, one.product_id) for one in shown)
                continue
            items = [item for item in result.items if item.frame_id == frame.frame_id]
            known = {item.item_id: item for item in result.items}
            drawn = shot.boxes(frame.time_ms, frame.width, frame.height)
            found = _assign(drawn, items)
            extra += len(items) - len(found)
            for k, (shown_one, _) in enumerate(drawn):
                row = Row(medium.filename, frame.time_ms, shown_one.product_id)
                rows.append(_judged(row, *found[k], known) if k in found else row)
    return Score(tuple(rows), extra)


def _newest(results: Iterable[MediaTagged]) -> dict[str, MediaTagged]:
    newest: dict[str, MediaTagged] = {}
    for result in results:
        names = {result.filename, *(upload.filename for upload in result.uploads)}
        for name in {PurePosixPath(name).name for name in names}:
            if name not in newest or newest[name].revision < result.revision:
                newest[name] = result
    return newest


def _looked_at(
    medium: MediumTruth, result: MediaTagged | None
) -> Iterator[tuple[Shot, Frame | None]]:
    """Each shot with each of its key frames, or with None where it has none."""
    frames = result.frames if result else []
    for shot in medium.shots:
        own = [frame for frame in frames if medium.shot_at(frame.time_ms) is shot]
        yield from ((shot, frame) for frame in (own or _NO_FRAME))


def _assign(
    drawn: Sequence[tuple[Shown, Box]], items: Sequence[TaggedItem]
) -> dict[int, tuple[TaggedItem, float]]:
    """Pairs garments with items, best overlap first, each used once."""
    pairs = sorted(
        (
            (_iou(box, item.box), k, j)
            for k, (_, box) in enumerate(drawn)
            for j, item in enumerate(items)
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    found: dict[int, tuple[TaggedItem, float]] = {}
    taken: set[int] = set()
    for overlap, k, j in pairs:
        if overlap >= FOUND_IOU and k not in found and j not in taken:
            found[k] = (items[j], overlap)
            taken.add(j)
    return found


def _judged(row: Row, item: TaggedItem, iou: float, known: Mapping[str, TaggedItem]) -> Row:
    matches = _matched(item, known).matches
    best = max(matches, key=lambda match: match.score, default=None)
    return Row(
        row.filename,
        row.time_ms,
        row.product_id,
        iou,
        item.label,
        best.product_id if best else None,
        best.score if best else 0.0,
    )


def _matched(item: TaggedItem, known: Mapping[str, TaggedItem]) -> TaggedItem:
    """The item, or, where a duplicate carries no matches of its own, the one it repeats."""
    for _ in range(_LONGEST_CHAIN):
        if item.matches or item.duplicate_of is None or item.duplicate_of not in known:
            break
        item = known[item.duplicate_of]
    return item


def _iou(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (areas - shared)

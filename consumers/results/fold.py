"""The result of a medium as a pure function of its parts.

Nothing here knows in which order parts came, how often, or what crashed in between: equal parts
give an equal result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.envelope import Event
from core.events import (
    DeadLetter,
    Item,
    ItemsIndexed,
    ItemsMatched,
    MediaFramed,
    MediaTagged,
    TaggedItem,
    TaggedPoint,
    Upload,
    Vectors,
)
from core.results.medium import MediaParts, Run
from core.vectors.duplicates import near_duplicates


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Cosines from which items of one medium repeat each other."""

    within: float
    across: float


@dataclass(frozen=True, slots=True)
class Folded:
    """A result without its revision, and what belongs to it but not into the event.

    Attributes:
        tagged: the result; ``status`` is partial while something is missing.
        run: the run that counts, None for a medium without any frames.
        unique: items that repeat no earlier one, with their ``(n, dim) float32`` vectors.
    """

    tagged: MediaTagged
    run: Run | None
    unique: list[TaggedItem]
    vectors: Vectors


def fold(media_id: str, parts: MediaParts, thresholds: Thresholds) -> Folded:
    """Folds whatever parts there are; ``tagged.missing`` says what has not come yet."""
    missing, newest = parts.missing(), parts.newest()
    if newest is None:
        return _without_frames(media_id, parts, missing)
    listed, framed = newest
    run = parts.run(listed)

    known, dead = parts.items(listed), parts.letters(listed)
    done = [known[f.frame_id] for f in framed.data.frames if f.frame_id in known]
    failures = [
        _failure(dead[f.frame_id])
        for f in framed.data.frames
        if f.frame_id in dead and f.frame_id not in known
    ]
    # Along several paths there may be vectors of several embedders, which compare with nothing.
    counts = [event.data.embedder for event in done if event.pipeline == run.pipeline]
    embedder = counts[0] if counts else None
    items, vectors, kept = _items(done, thresholds, embedder)
    matched = [event.data for event in done if isinstance(event.data, ItemsMatched)]
    tagged = MediaTagged(
        media_id=media_id,
        revision=0,
        status=_status(framed, missing, failures),
        reason=framed.data.reason or (failures[0] if failures and not done else None),
        filename=framed.data.filename,
        content_hash=framed.data.content_hash,
        kind=framed.data.kind,
        duration_ms=framed.data.duration_ms,
        cached=framed.data.cached,
        uploads=_uploads(parts),
        upload_count=parts.upload_count,
        frames=framed.data.frames,
        items=items,
        points=_points([event.data for event in done if isinstance(event.data, ItemsIndexed)]),
        product=framed.data.product,
        analysis=parts.analysis[1].data if parts.analysis else None,
        embedder=embedder,
        pipeline=run.pipeline,
        catalog=max((data.catalog for data in matched if data.catalog), default=None),
        match_reason=max((data.reason for data in matched if data.reason), default=None),
        notes=[
            *framed.data.notes,
            *sorted({note for e in done for note in e.data.notes}),
            *_unread(parts),
        ],
        failures=failures,
        missing=missing,
    )
    return Folded(tagged, run, [items[i] for i in kept], vectors)


def unfoldable(media_id: str, parts: MediaParts, reason: str) -> Folded:
    """The result of a medium whose parts cannot be folded: it names the uploads, and says why."""
    folded, newest = _without_frames(media_id, parts, []), parts.newest()
    failed = {"status": "failed", "reason": reason}
    if newest is not None:
        failed["pipeline"] = parts.run(newest[0]).pipeline
    return replace(folded, tagged=folded.tagged.model_copy(update=failed))


def _uploads(parts: MediaParts) -> list[Upload]:
    """The newest ones, with the one whose frames these are."""
    named = (parts.uploads[root] for root in parts.named())
    uploads = [
        Upload(root=event.root, uri=event.data.uri, filename=event.data.filename) for event in named
    ]
    newest = parts.newest()
    if newest is not None and newest[0].root not in parts.uploads and parts.unclaimed() is None:
        # Forgotten among very many, and answered after all: whoever waits for it goes by the root.
        root, filename = newest[0].root, newest[1].data.filename
        uploads = [*uploads, Upload(root=root, uri="", filename=filename)][-parts.keep :]
    return sorted(uploads, key=lambda upload: (upload.uri, upload.root))


def _without_frames(media_id: str, parts: MediaParts, missing: list[str]) -> Folded:
    """A medium that no run has framed: refused for a reason, or still on its way."""
    refusal, upload = parts.refusal(), parts.newest_upload()
    medium = upload.data if upload else None
    tagged = MediaTagged(
        media_id=media_id,
        revision=0,
        status="partial" if missing else "failed",
        reason=_failure(refusal) if refusal else None,
        filename=medium.filename if medium else "",
        content_hash=medium.content_hash if medium else "",
        kind=medium.kind if medium else None,
        uploads=_uploads(parts),
        upload_count=parts.upload_count,
        product=medium.product if medium else None,
        notes=_unread(parts),
        missing=missing,
        pipeline=refusal.pipeline if refusal else "",
    )
    return Folded(tagged, None, [], np.empty((0, 0), np.float32))


def _unread(parts: MediaParts) -> list[str]:
    count = len(parts.unreadable)
    return [f"stored parts that cannot be read: {count} (tagger state list)"] if count else []


def _status(framed: Event[MediaFramed], missing: list[str], failures: list[str]) -> str:
    if missing:
        return "partial"
    if not framed.data.frames or len(failures) == len(framed.data.frames):
        return "failed"
    return "partial" if failures else "complete"


def _items(
    done: list[Event[ItemsMatched] | Event[ItemsIndexed]],
    thresholds: Thresholds,
    embedder: str | None,
) -> tuple[list[TaggedItem], Vectors, list[int]]:
    """Items in frame order, the vectors of this embedder, and for each the index of its item,
    those of items that repeat none."""
    matched = [event.data for event in done if isinstance(event.data, ItemsMatched)]
    found = [(data.frame.frame_id, item) for data in matched for item in data.items]
    makers = [data.embedder for data in matched for _ in data.items]
    repeats: list[int | None] = [None] * len(found)
    vectors: Vectors = np.empty((0, 0), np.float32)
    for maker in sorted(set(makers)):
        rows = [row for row, by in enumerate(makers) if by == maker]
        made = np.stack([found[row][1].array() for row in rows])
        categories = [found[row][1].category for row in rows]
        near = near_duplicates(made, categories, thresholds.within, thresholds.across)
        for row, repeat in zip(rows, near, strict=True):
            repeats[row] = rows[repeat] if repeat is not None else None
        if maker == embedder:
            vectors = made[[repeat is None for repeat in near]]
    items = [
        TaggedItem(
            **item.model_dump(include=set(Item.model_fields)),
            frame_id=frame,
            matches=item.matches,
            duplicate_of=found[repeat][1].item_id if repeat is not None else None,
        )
        for (frame, item), repeat in zip(found, repeats, strict=True)
    ]
    kept = [row for row, repeat in enumerate(repeats) if repeat is None and makers[row] == embedder]
    return items, vectors, kept


def _points(indexed: list[ItemsIndexed]) -> list[TaggedPoint]:
    return [
        TaggedPoint(
            item_id=item.item_id,
            point_id=item.point_id,
            frame_id=data.frame.frame_id,
            label=item.label,
            category=item.category,
            box=item.box,
            crop_key=item.crop_key,
        )
        for data in indexed
        for item in data.items
    ]


def _failure(letter: Event[DeadLetter]) -> str:
    return f"{letter.data.stage}: {letter.data.reason}"

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
    MatchedItem,
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
    newest = parts.newest()
    missing = [f"frames of upload {root}" for root in parts.unframed()]
    if newest is None:
        return _without_frames(media_id, parts, missing)
    run, framed = newest
    if (root := parts.unclaimed()) is not None:
        missing.append(f"upload {root}")
    missing += [f"items of frame {frame}" for frame in parts.unaccounted()]

    known, dead = parts.frames.get(run, {}), parts.dead.get(run, {})
    done = [known[f.frame_id] for f in framed.data.frames if f.frame_id in known]
    failures = [
        _failure(dead[f.frame_id])
        for f in framed.data.frames
        if f.frame_id in dead and f.frame_id not in known
    ]
    items, vectors, kept = _items(done, thresholds)
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
        embedder=max((event.data.embedder for event in done), default=None),
        catalog=max((data.catalog for data in matched if data.catalog), default=None),
        match_reason=max((data.reason for data in matched if data.reason), default=None),
        notes=[*framed.data.notes, *sorted({note for e in done for note in e.data.notes})],
        failures=failures,
        missing=missing,
    )
    return Folded(tagged, run, [items[i] for i in kept], vectors[kept])


def unfoldable(media_id: str, parts: MediaParts, reason: str) -> Folded:
    """The result of a medium whose parts cannot be folded: it names the uploads, and says why."""
    folded = _without_frames(media_id, parts, [])
    tagged = folded.tagged.model_copy(update={"status": "failed", "reason": reason})
    return replace(folded, tagged=tagged)


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
    if not parts.uploads:
        missing = [*missing, "its upload"]
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
        missing=missing,
    )
    return Folded(tagged, None, [], np.empty((0, 0), np.float32))


def _status(framed: Event[MediaFramed], missing: list[str], failures: list[str]) -> str:
    if missing:
        return "partial"
    if not framed.data.frames or len(failures) == len(framed.data.frames):
        return "failed"
    return "partial" if failures else "complete"


def _items(
    done: list[Event[ItemsMatched] | Event[ItemsIndexed]], thresholds: Thresholds
) -> tuple[list[TaggedItem], Vectors, list[int]]:
    """Items in frame order, their vectors, and the indices of those that repeat none."""
    found: list[tuple[str, MatchedItem]] = [
        (event.data.frame.frame_id, item)
        for event in done
        if isinstance(event.data, ItemsMatched)
        for item in event.data.items
    ]
    if not found:
        return [], np.empty((0, 0), np.float32), []
    vectors = np.stack([item.array() for _, item in found])
    repeats = near_duplicates(
        vectors, [item.category for _, item in found], thresholds.within, thresholds.across
    )
    items = [
        TaggedItem(
            **item.model_dump(include=set(Item.model_fields)),
            frame_id=frame,
            matches=item.matches,
            duplicate_of=found[repeat][1].item_id if repeat is not None else None,
        )
        for (frame, item), repeat in zip(found, repeats, strict=True)
    ]
    return items, vectors, [i for i, repeat in enumerate(repeats) if repeat is None]


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

"""What the result of a medium can do without, so that a medium announced for ever stays small."""

from __future__ import annotations

from core.envelope import Event
from core.events import Data, DeadLetter, MediaAnalyzed, MediaFramed, MediaUploaded
from core.results.medium import NOWHERE, Forgotten, MediaParts, Run, about_frames, moment


def superfluous(parts: MediaParts) -> tuple[list[str], Forgotten]:
    """Keys that the result of a whole medium does not need, and what is then remembered.

    The result stays the same without them. Kept are what the list that counts led to, what can
    be used again, the uploads that are named, and what came ahead of its list of frames or of
    its upload.
    """
    named = set(parts.named())
    ahead = _ahead(parts)
    again = set(parts.reusable().values())
    keys = [
        key
        for key, (event, position) in parts.stored.items()
        if not _needed(parts, event, position, named, ahead, again)
    ]
    return keys, _remembered(parts, named)


def _remembered(parts: MediaParts, named: set[str]) -> Forgotten:
    gone = parts.uploads.keys() - named
    newest = max((parts.places[root] for root in gone), default=NOWHERE)
    newest = max(newest, parts.forgotten.newest)
    older = [root for root in named if parts.places[root] <= newest]
    return Forgotten(
        count=parts.forgotten.count + len(gone),
        newest=newest,
        until=max([*(parts.places[root].time for root in gone), parts.forgotten.until]),
        spared=older[0] if older else None,
        answered=max([*parts.places.values(), parts.forgotten.answered]),
    )


def _ahead(parts: MediaParts) -> set[str]:
    """Roots without an upload. It may still come, or it was forgotten and its parts read
    again: they look alike, so the newest are kept."""
    times: dict[str, float] = {}
    for event, _ in parts.stored.values():
        if event.root not in parts.uploads and not isinstance(event.data, MediaUploaded):
            times[event.root] = max(times.get(event.root, 0.0), moment(event.time))
    return set(sorted(times, key=lambda root: (times[root], root))[-parts.keep :])


def _needed(
    parts: MediaParts,
    event: Event[Data],
    position: int,
    named: set[str],
    ahead: set[str],
    again: set[Run],
) -> bool:
    data, run, newest = event.data, Run(event.root, event.pipeline), parts.newest()
    counts = newest is not None and run.made_of(newest[0])
    if isinstance(data, MediaUploaded):
        return event.root in named and parts.uploads[event.root] is event
    if isinstance(data, MediaAnalyzed):
        return parts.analysis is not None and parts.analysis[1] is event
    if isinstance(data, DeadLetter) and not about_frames(data):
        return False
    if isinstance(data, MediaFramed):
        counts = counts or any(used.made_of(run) for used in again)
        return parts.framed[run][0] == position and (counts or event.root in ahead)
    if isinstance(data, DeadLetter) and event.frame is None:
        return (newest is None and event is parts.refusal()) or event.root in ahead
    unlisted = not any(run.made_of(listed) for listed in parts.framed)
    used = run in again and not isinstance(data, DeadLetter)
    return counts or used or (unlisted and (event.root in parts.uploads or event.root in ahead))

"""What is known of one medium: its parts, which of them count, and which nobody needs any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel

from core.envelope import Event
from core.events import (
    Data,
    DeadLetter,
    ItemsIndexed,
    ItemsMatched,
    MediaAnalyzed,
    MediaFramed,
    MediaUploaded,
)
from core.paths import leads_to

KEPT_UPLOADS = 100
"""Uploads that a result names: the newest."""

Items = Event[ItemsMatched] | Event[ItemsIndexed]


class Run(NamedTuple):
    """What one announcement led to under one pipeline, which is a path (``core.paths``).

    A list of frames has the path of ``frames``, items have that of ``embed``, and a dead letter
    what its output would have had: whatever was made of a list has the list's root, and a path
    that begins with the list's.
    """

    root: str
    pipeline: str

    def made_of(self, listed: Run) -> bool:
        """Whether this came out of that list of frames."""
        return self.root == listed.root and leads_to(listed.pipeline, self.pipeline)


class Place(NamedTuple):
    """Where an upload stands among those of its medium, the oldest first.

    Attributes:
        position: its offset; behind all known ones where the log began anew meanwhile.
        time: of its event, in seconds since the epoch. Orders those that were stored before
            positions were: they are all at 0.
        root: orders what was announced in the same millisecond.
    """

    position: int
    time: float
    root: str


NOWHERE = Place(-1, 0.0, "")


class Forgotten(BaseModel):
    """What is remembered of uploads that are not kept, so that each was counted exactly once.

    Attributes:
        count: how many there were.
        newest: the newest of them.
        until: the latest time of theirs, in seconds since the epoch.
        spared: the root of an older one that is kept, since the run that counts is its.
        answered: every upload up to here has its frames, or the reason why there are none.
    """

    count: int = 0
    newest: Place = NOWHERE
    until: float = 0.0
    spared: str | None = None
    answered: Place = NOWHERE


@dataclass(slots=True)
class MediaParts:
    """What is known of one medium.

    Attributes:
        uploads: root -> its upload, but for those that were forgotten.
        places: root -> where its upload stands.
        framed: run of ``frames`` -> its list of frames, with the offset it was read at.
        frames: run -> frame id -> the frame's matched or indexed items.
        dead: run -> frame id, or None for the medium itself -> why it was given up.
        analysis: what the language model says, with the offset it was read at.
        forgotten: what is remembered of uploads that are gone; given before parts are added.
        stored: key -> the part that stands there, with its position.
        unreadable: keys of parts that cannot be read, and are gone by as if they were not there.
        keep: uploads that are named, and roots without an upload whose parts are kept, at most.
    """

    uploads: dict[str, Event[MediaUploaded]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    framed: dict[Run, tuple[int, Event[MediaFramed]]] = field(default_factory=dict)
    frames: dict[Run, dict[str, Items]] = field(default_factory=dict)
    dead: dict[Run, dict[str | None, Event[DeadLetter]]] = field(default_factory=dict)
    analysis: tuple[int, Event[MediaAnalyzed]] | None = None
    forgotten: Forgotten = field(default_factory=Forgotten)
    stored: dict[str, tuple[Event[Data], int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    keep: int = KEPT_UPLOADS

    def add(self, event: Event[Data], position: int) -> None:
        """Adds one part; adding it again changes nothing."""
        data, run = event.data, Run(event.root, event.pipeline)
        if isinstance(data, MediaUploaded):
            self._add_upload(event.of(MediaUploaded), position)
        elif isinstance(data, MediaFramed):
            known = self.framed.get(run)
            if known is None or known[0] < position:
                self.framed[run] = (position, event.of(MediaFramed))
        elif isinstance(data, ItemsMatched):
            self.frames.setdefault(run, {})[data.frame.frame_id] = event.of(ItemsMatched)
        elif isinstance(data, ItemsIndexed):
            self.frames.setdefault(run, {})[data.frame.frame_id] = event.of(ItemsIndexed)
        elif isinstance(data, MediaAnalyzed):
            if self.analysis is None or self.analysis[0] <= position:
                self.analysis = (position, event.of(MediaAnalyzed))
        elif isinstance(data, DeadLetter) and about_frames(data):
            self.dead.setdefault(run, {})[event.frame] = event.of(DeadLetter)

    def _add_upload(self, upload: Event[MediaUploaded], position: int) -> None:
        place = place_of(upload, position)
        if place > self.forgotten.newest or upload.root == self.forgotten.spared:
            self.uploads[upload.root] = upload
            self.places[upload.root] = place

    # -- what counts ----------------------------------------------------------------------------

    def newest(self) -> tuple[Run, Event[MediaFramed]] | None:
        """The list of frames that counts: the one that stands last in the log.

        Lists of one medium share a partition, so their offsets are in order whatever order they
        were read in.
        """
        if not self.framed:
            return None
        run = max(self.framed, key=lambda key: (self.framed[key][0], key))
        return run, self.framed[run][1]

    def named(self) -> list[str]:
        """Roots of the uploads that a result names: the newest ``keep``, oldest first. The one
        that the run that counts was made for is taken for the newest."""
        roots = sorted(self.uploads, key=self.places.__getitem__)
        newest = self.newest()
        if newest is not None and newest[0].root in self.uploads:
            roots.remove(newest[0].root)
            roots.append(newest[0].root)
        return roots[-self.keep :]

    @property
    def upload_count(self) -> int:
        """Uploads ever, forgotten ones included."""
        return self.forgotten.count + len(self.uploads)

    def refusal(self) -> Event[DeadLetter] | None:
        """Why the medium has no frames: what was said of its newest upload that was refused."""
        refused = [run for run, dead in self.dead.items() if None in dead]
        if not refused:
            return None
        run = max(refused, key=lambda run: (self.places.get(run.root, NOWHERE), run))
        return self.dead[run][None]

    def newest_upload(self) -> Event[MediaUploaded] | None:
        if not self.uploads:
            return None
        return self.uploads[max(self.uploads, key=self.places.__getitem__)]

    def parent(self) -> Event[Data] | None:
        """The event whose root, purpose and pipeline the result carries."""
        newest = self.newest()
        if newest is not None:
            return newest[1]
        return self.refusal() or self.newest_upload() or self._newest_orphan()

    def _newest_orphan(self) -> Event[Data] | None:
        """Of parts that came without an upload, a list of frames, or a reason why there is none."""
        orphans: list[Event[Data]] = [
            *(event for frames in self.frames.values() for event in frames.values()),
            *(letter for dead in self.dead.values() for letter in dead.values()),
            *([self.analysis[1]] if self.analysis is not None else []),
        ]
        return max(orphans, key=lambda event: (moment(event.time), event.id), default=None)

    # -- what is missing ------------------------------------------------------------------------

    def missing(self) -> list[str]:
        """What the result still waits for, in words; nothing for a whole medium."""
        missing = [f"frames of upload {root}" for root in self.unframed()]
        if self.newest() is None:
            return missing if self.uploads else ["its upload"]
        if (root := self.unclaimed()) is not None:
            missing.append(f"upload {root}")
        return missing + [f"items of frame {frame}" for frame in self.unaccounted()]

    def unframed(self) -> list[str]:
        """Roots of uploads that have neither frames nor a reason yet."""
        answered = {run.root for run in self.framed}
        answered |= {run.root for run, dead in self.dead.items() if None in dead}
        return sorted(
            root
            for root in self.uploads
            if root not in answered and self.places[root] > self.forgotten.answered
        )

    def unclaimed(self) -> str | None:
        """The root of the run that counts, while its upload is still to come.

        Once uploads were forgotten it may be one of these (its dead letter was sent again): then
        it is not waited for.
        """
        newest = self.newest()
        if newest is None or self.forgotten.count or newest[0].root in self.uploads:
            return None
        return newest[0].root

    def unaccounted(self) -> list[str]:
        """Frame ids of the newest list that are neither done nor given up."""
        newest = self.newest()
        if newest is None:
            return []
        listed, framed = newest
        known = self.items(listed).keys() | self.letters(listed).keys()
        return [f.frame_id for f in framed.data.frames if f.frame_id not in known]

    # -- what was made of a list of frames ------------------------------------------------------

    def run(self, listed: Run) -> Run:
        """The run that a list's result goes by: that with items of the most frames, of several
        the last in order; without any items, how far its dead letters came.

        There are several where versions changed while the medium was under way, or where a dead
        letter was sent again later.
        """
        runs = [(len(known), run) for run, known in self.frames.items() if run.made_of(listed)]
        if not runs:
            runs = [(0, run) for run in self.dead if run.made_of(listed)]
        return max(runs, default=(0, listed))[1]

    def items(self, listed: Run) -> dict[str, Items]:
        """Frame id -> its items. What the run that counts has not done, another may have."""
        counts = self.run(listed)
        found: dict[str, Items] = {}
        for run in sorted(self.frames, key=lambda run: (run == counts, run)):
            if run.made_of(listed):
                found.update(self.frames[run])
        return found

    def letters(self, listed: Run) -> dict[str | None, Event[DeadLetter]]:
        """Frame id -> why it was given up, in whatever run."""
        found: dict[str | None, Event[DeadLetter]] = {}
        for run in sorted(self.dead):
            if run.made_of(listed):
                found.update(self.dead[run])
        return found

    def reusable(self) -> dict[str, Run]:
        """Path -> the newest run along it that has items of every frame: what the same bytes
        announced again need not be looked at for."""
        found: dict[str, Run] = {}
        for listed in sorted(self.framed, key=lambda run: (self.framed[run][0], run)):
            frames = {frame.frame_id for frame in self.framed[listed][1].data.frames}
            for run, known in self.frames.items():
                if frames and run.made_of(listed) and frames <= known.keys():
                    found[run.pipeline] = run
        return found


def about_frames(letter: DeadLetter) -> bool:
    """Whether a dead letter answers for frames: the analysis goes its own way beside them."""
    return letter.stage != "analyze"


def place_of(upload: Event[MediaUploaded], position: int) -> Place:
    return Place(position, moment(upload.time), upload.root)


def position_of(
    upload: Event[MediaUploaded], offset: int, known: Mapping[str, Place], forgotten: Forgotten
) -> int | None:
    """Where to keep an upload that was read at ``offset``; None for a repeat of a forgotten one.

    Uploads of one medium share a partition and are stored in its order, so a new one has a larger
    offset than all before it. One that has not, and whose root is not ``known``, is a repeat of
    one that was forgotten. Unless it is of a later time than all of those: then the log was lost
    and began anew, and the upload stands behind all that are known.
    """
    if upload.root in known:
        return known[upload.root].position
    last = max([place.position for place in known.values()], default=-1)
    last = max(last, forgotten.newest.position)
    if offset > last:
        return offset
    repeat = offset <= forgotten.newest.position and moment(upload.time) <= forgotten.until
    return None if repeat else last + 1


def moment(time: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; 0 for what is none."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

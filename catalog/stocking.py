"""Filling the catalog: product pictures are announced together, and are done when searchable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.folder import ProductPicture
from core.errors import PermanentError, TaggingError
from core.events import MediaTagged, Product
from core.intake.announcements import Announcement, announcement, ledger_prefix
from core.intake.intake import Intake, Submission
from core.intake.originals import FileMark
from core.ports import Ports
from core.results.answered import answer
from core.results.answers import listening

PRODUCER = "catalog"
_TOGETHER = 256

Outcome = MediaTagged | TaggingError
OnDone = Callable[[Path, Outcome], None]


@dataclass(slots=True)
class Plan:
    """What there is to do for a catalog's pictures.

    Attributes:
        submissions: pictures to announce: new ones, changed ones, and those of products about
            which something new is known or whose result is damaged.
        underway: announced before, as they are now, and without a result yet.
        settled: announced before, as they are now, with their results.
    """

    submissions: list[Submission] = field(default_factory=list)
    underway: list[tuple[Path, Announcement]] = field(default_factory=list)
    settled: list[tuple[Path, MediaTagged]] = field(default_factory=list)

    @property
    def to_do(self) -> int:
        return len(self.submissions) + len(self.underway)


async def plan(ports: Ports, place: str, pictures: Sequence[ProductPicture]) -> Plan:
    """Holds the pictures against the ledger; reads no picture that has not changed.

    Args:
        place: uri of the folder that the catalog is in.
    """
    entries = {
        entry.upload.uri: entry
        for key, value in await ports.state.scan(ledger_prefix(PRODUCER, place))
        if (entry := await announcement(ports.state, key, value)) is not None
    }
    made = Plan()
    for picture in pictures:
        uri = picture.path.as_uri()
        entry = entries.get(uri)
        told = entry is not None and _stored(entry.upload.product) == _stored(picture.product)
        tagged, lost = None, False
        try:
            if entry is not None and entry.announced and told:
                tagged = await answer(ports, entry.upload.media_id, entry.root)
        except PermanentError:
            lost = True  # what cannot be read any more is made anew
        known = entry is not None and entry.announced and told and not lost
        if entry is None or not known or _changed(picture.path, entry):
            made.submissions.append(
                Submission(
                    path=picture.path,
                    uri=uri,
                    producer=PRODUCER,
                    purpose="catalog",
                    product=picture.product,
                    place=place,
                    # The same bytes again are news only if their product has changed.
                    repeat=entry is not None and (lost or not told),
                )
            )
        elif tagged is not None:
            made.settled.append((picture.path, tagged))
        else:
            made.underway.append((picture.path, entry))
    return made


async def stock(ports: Ports, made: Plan, on_done: OnDone) -> None:
    """Announces what the plan says and returns when all of it is searchable, or known to be bad.

    Args:
        on_done: told of each picture what became of it.
    """
    intake = Intake(ports)
    async with listening(ports) as answers:

        async def tell(path: Path, media_id: str, root: str) -> None:
            on_done(path, await answers.to(media_id, root))

        try:
            async with asyncio.TaskGroup() as waiting:
                for path, entry in made.underway:
                    waiting.create_task(tell(path, entry.upload.media_id, entry.root))
                for start in range(0, len(made.submissions), _TOGETHER):
                    some = made.submissions[start : start + _TOGETHER]
                    outcomes = await intake.announce_many(some)
                    for submission, outcome in zip(some, outcomes, strict=True):
                        if isinstance(outcome, TaggingError):
                            on_done(submission.path, outcome)
                        else:
                            waiting.create_task(
                                tell(submission.path, outcome.media_id, outcome.root)
                            )
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group  # one outcome ends them all: who listens failed


def _stored(product: Product | None) -> str | None:
    """What of a product is kept and compared: its JSON, whatever order the columns are in."""
    if product is None:
        return None
    return json.dumps(json.loads(product.model_dump_json()), sort_keys=True)


def _changed(path: Path, entry: Announcement) -> bool:
    try:
        return FileMark.of(path.stat()).text() != entry.mark
    except OSError:
        return True  # the intake says what is wrong with it

"""Intake: stores a medium's original and announces it, once per announcement whatever crashes.

The order is blob, then ledger ("pending", with the whole event), then event, then ledger
("announced"). So a pending entry means that the blob is there and the event may or may not be:
whoever meets one publishes it again with the same ce_id, even if the file is gone by then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from core import ids, telemetry
from core.claimcheck import encode_checked
from core.envelope import dump
from core.errors import DoesNotFitError, OutageError, TaggingError
from core.events import MediaUploaded, Product, Purpose
from core.intake.announcements import Announcement, announcement, ledger_key, ledger_prefix
from core.intake.originals import (
    IN_MEMORY,
    FileMark,
    Original,
    changed,
    outer_size,
    read_original,
    shown,
    unreadable,
)
from core.intake.room import Claims, Room
from core.ports import Ports
from core.runtime.publisher import Publisher
from core.tracing import traces as tracing

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Submission:
    """A file to announce.

    Attributes:
        path: where its bytes are now; never moved, changed or deleted.
        uri: where it comes from; what its announcements are counted by.
        producer: who announces it, e.g. ``folder``; one segment of a key.
        prompt: None for the default prompt.
        filename: what to call it, where ``path`` is a temporary file; else the path's name.
        place: the watched folder or bucket, so that its ledger is read in one go; else empty.
        mark: the version that the place shows (e.g. an etag); None takes the file's own mark.
        settled: the mark under which the file came to rest; another one now is a change.
        repeat: False announces nothing when this uri's newest announcement is of this medium.
    """

    path: Path
    uri: str
    producer: str
    purpose: Purpose = "query"
    product: Product | None = None
    prompt: str | None = None
    filename: str | None = None
    place: str = ""
    mark: str | None = None
    settled: FileMark | None = None
    repeat: bool = True

    @property
    def key(self) -> str:
        """Where its ledger entry is."""
        return ledger_key(self.producer, self.place, self.uri)


@dataclass(frozen=True, slots=True)
class Announced:
    """What a submission became. ``new`` is False where ``repeat=False`` found nothing new.

    Attributes:
        root: the ce_id of the ``media.uploaded``.
        announcement: how many times this uri was announced, this time included.
        size: bytes.
    """

    uri: str
    media_id: str
    root: str
    content_hash: str
    blob_key: str
    announcement: int
    size: int
    new: bool = True


class Intake:
    """Stores and announces; safe to share between tasks.

    Args:
        batch: files that share one round trip to each store.
        parallel: batches under way at once; also how many files are read at once.
    """

    def __init__(self, ports: Ports, *, batch: int = 64, parallel: int = 4) -> None:
        self._publisher = Publisher(ports.log, lambda: None)
        self._blobs = ports.blobs
        self._room = Room(ports.blobs)
        self._state = ports.state
        self._batch = batch
        self._batches = asyncio.Semaphore(parallel)
        self._readers = asyncio.Semaphore(parallel)
        self._turn = asyncio.Condition()
        self._held: set[str] = set()

    async def announce(
        self,
        path: Path,
        *,
        uri: str,
        producer: str,
        purpose: Purpose = "query",
        product: Product | None = None,
        prompt: str | None = None,
        filename: str | None = None,
    ) -> Announced:
        """Stores and announces one file; the event is durable on return.

        Raises:
            UnsupportedKindError, UnreadableFileError, ChangedWhileReadError: of the file.
            DoesNotFitError: there is no room for a file of this size.
            OutageError: of a store; calling again goes on where this stopped.
        """
        submission = Submission(path, uri, producer, purpose, product, prompt, filename)
        (outcome,) = await self.announce_many([submission])
        if isinstance(outcome, TaggingError):
            raise outcome
        return outcome

    async def announce_many(
        self, submissions: Sequence[Submission]
    ) -> list[Announced | TaggingError]:
        """Announces files together, each uri at most once; one outcome a submission, in order.

        An error of a file is its outcome; OutageError is raised, as it concerns all of them.
        """
        if len({submission.key for submission in submissions}) < len(submissions):
            raise ValueError("a uri stands twice in one call; its announcements need an order")
        parts = [
            submissions[start : start + self._batch]
            for start in range(0, len(submissions), self._batch)
        ]
        # All of them end before an error of one is raised: a caller's retry meets no leftovers.
        done = await asyncio.gather(*map(self._announce_part, parts), return_exceptions=True)
        outcomes: list[Announced | TaggingError] = []
        for part in done:
            if isinstance(part, BaseException):
                raise part
            outcomes += part
        return outcomes

    async def recover(self, producer: str, place: str = "") -> int:
        """Publishes what a crash left between stored and announced; says how many events."""
        entries = await self._state.scan(ledger_prefix(producer, place))
        parsed = [(key, await announcement(self._state, key, value)) for key, value in entries]
        pending = {key: entry for key, entry in parsed if entry and not entry.announced}
        await self._publish(list(pending.values()))
        await self._write({key: _announced(entry) for key, entry in pending.items()})
        return len(pending)

    async def check_room(self, path: Path, size: int, beside: int = 0) -> None:
        """Whether a file could be stored now, without a look into it.

        Args:
            beside: bytes that it takes on the same disk before it is stored.

        Raises:
            DoesNotFitError: it could not, but smaller ones could.
            OutageError: no file could.
        """
        if size > IN_MEMORY:
            await self._room.check(size, shown(path), beside)

    async def _announce_part(self, part: Sequence[Submission]) -> list[Announced | TaggingError]:
        keys = [submission.key for submission in part]
        async with self._batches, self._alone(keys):
            with self._room.claims() as claims:
                return await self._announce_alone(part, claims)

    async def _announce_alone(
        self, part: Sequence[Submission], claims: Claims
    ) -> list[Announced | TaggingError]:
        last = await self._entries([submission.key for submission in part])
        read = await asyncio.gather(
            *(self._read(each, last.get(each.key), claims) for each in part)
        )
        for outage in read:
            if isinstance(outage, OutageError):
                raise outage
        failures = {
            submission.key: original
            for submission, original in zip(part, read, strict=True)
            if isinstance(original, TaggingError)
        }
        originals: dict[str, Original] = {}
        entries: dict[str, Announcement] = {}
        for submission, original in zip(part, read, strict=True):
            key = submission.key
            if isinstance(original, Original):
                originals[key] = original
                entries[key] = _next_entry(submission, original, last.get(key))
        pending = {key: entry for key, entry in entries.items() if not entry.announced}
        unstored = await self._store([originals[key] for key in pending], claims)
        for key in list(pending):
            if (failure := unstored.get(originals[key].key)) is not None:
                failures[key] = failure
                del pending[key]
        await self._announce(pending, last)
        touched = {
            key: entry
            for key, entry in entries.items()
            if entry.announced and entry != last.get(key)
        }
        await self._write(touched)
        return [
            failures[key] if key in failures else _outcome(entries[key], new=key in pending)
            for key in (submission.key for submission in part)
        ]

    async def _announce(
        self, pending: dict[str, Announcement], last: dict[str, Announcement]
    ) -> None:
        # An entry that is about to be replaced while its event may be unsaid is said first.
        owed = [
            last[key]
            for key, entry in pending.items()
            if key in last and not last[key].announced and last[key].root != entry.root
        ]
        await self._publish(owed)
        await self._write(pending)
        await self._publish(list(pending.values()))
        await self._write({key: _announced(entry) for key, entry in pending.items()})
        for entry in pending.values():
            telemetry.ANNOUNCED.labels(entry.upload.producer).inc()
            _log.info(
                "media_announced",
                media_id=entry.upload.media_id,
                uri=entry.upload.uri,
                announcement=entry.upload.announcement,
                size=entry.upload.size,
            )

    async def _read(
        self, submission: Submission, last: Announcement | None, claims: Claims
    ) -> Original | TaggingError:
        async with self._readers:
            try:
                size = await asyncio.to_thread(
                    outer_size, submission.path, submission.filename, submission.settled
                )
                # One that is said to be stored already may need no room: its hash will tell.
                if size > IN_MEMORY and (last is None or last.upload.size != size):
                    await claims.claim(str(submission.path), size, shown(submission.path))
                return await asyncio.to_thread(
                    read_original, submission.path, submission.filename, submission.settled
                )
            except TaggingError as error:
                return error

    async def _store(
        self, originals: Sequence[Original], claims: Claims
    ) -> dict[str, TaggingError]:
        """Stores what is not there yet; the blob keys that could not be, and why."""
        wanted = {original.key: original for original in originals}
        async with self._alone(wanted):
            found = await asyncio.gather(*map(self._blobs.stat, wanted))
            missing = [
                original
                for original, blob in zip(wanted.values(), found, strict=True)
                if blob is None or blob.size != original.mark.size
            ]
            await self._blobs.put([o.blob() for o in missing if o.data is not None])
            failures = {}
            for original in missing:
                if original.data is None and (failure := await self._store_file(original, claims)):
                    failures[original.key] = failure
            return failures

    async def _store_file(self, original: Original, claims: Claims) -> TaggingError | None:
        path, size = original.path, original.mark.size
        try:
            await claims.claim(str(path), size, shown(path))
            await self._blobs.put([original.blob()])
        except OSError as error:
            return unreadable(original.path, error)
        except DoesNotFitError as error:
            return error
        except OutageError:
            # A file that went away under the copy may look to the store like its own trouble.
            if await asyncio.to_thread(original.changed):
                return changed(original.path)
            raise
        if not await asyncio.to_thread(original.changed):
            return None
        # What was copied may not be what was hashed, and the key promises that it is.
        await self._blobs.delete([original.key])
        return changed(original.path)

    async def _entries(self, keys: Sequence[str]) -> dict[str, Announcement]:
        values = await asyncio.gather(*map(self._state.get, keys))
        found = {}
        for key, value in zip(keys, values, strict=True):
            if value is not None and (entry := await announcement(self._state, key, value)):
                found[key] = entry
        return found

    async def _write(self, entries: dict[str, Announcement]) -> None:
        if entries:
            await self._state.put(
                [(key, entry.model_dump_json().encode()) for key, entry in entries.items()]
            )

    async def _publish(self, entries: Sequence[Announcement]) -> None:
        messages = [
            await encode_checked(entry.event(), dump(entry.upload), self._blobs)
            for entry in entries
        ]
        await self._publisher.publish(messages)
        tracing.published(messages)

    @asynccontextmanager
    async def _alone(self, names: Collection[str]) -> AsyncIterator[None]:
        """Nobody else in this process holds one of the names meanwhile: of a uri, because its
        announcements are counted; of a blob, because a bad copy of it is deleted."""
        async with self._turn:
            await self._turn.wait_for(lambda: self._held.isdisjoint(names))
            self._held.update(names)
        try:
            yield
        finally:
            self._held.difference_update(names)
            async with self._turn:
                self._turn.notify_all()


def _next_entry(
    submission: Submission, original: Original, last: Announcement | None
) -> Announcement:
    """The entry that this submission calls for: the last one's own if that is still to be said,
    or if there is nothing new to say."""
    product = submission.product
    media = ids.media_id(
        original.hash, submission.purpose, product.id if product else None, submission.prompt
    )
    mark = original.mark.text() if submission.mark is None else submission.mark
    same = last is not None and last.upload.media_id == media
    if last is not None and same and not (last.announced and submission.repeat):
        return last.model_copy(update={"mark": mark})
    upload = MediaUploaded(
        media_id=media,
        content_hash=original.hash,
        uri=submission.uri,
        filename=original.name,
        producer=submission.producer,
        announcement=last.upload.announcement + 1 if last else 1,
        blob_key=original.key,
        content_type=original.content_type,
        kind=original.kind,
        size=original.mark.size,
        product=product,
        prompt=submission.prompt,
    )
    return Announcement(mark=mark, announced=False, purpose=submission.purpose, upload=upload)


def _announced(entry: Announcement) -> Announcement:
    return entry.model_copy(update={"announced": True})


def _outcome(entry: Announcement, new: bool) -> Announced:
    upload = entry.upload
    return Announced(
        upload.uri,
        upload.media_id,
        entry.root,
        upload.content_hash,
        upload.blob_key,
        upload.announcement,
        upload.size,
        new,
    )

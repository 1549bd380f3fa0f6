"""From listed to announced: downloads, announces in batches, and waits out what is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from minio.error import S3Error

from core.errors import DoesNotFitError, OutageError, TaggingError
from core.files.scratch import temporary_folder
from core.intake.intake import Announced, Intake, Submission
from core.intake.originals import ChangedWhileReadError, UnreadableFileError
from producers.batches import Batches
from producers.bucket_place import WatchedBucket
from producers.downloads import Downloads, NoRoomError
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.objects import Version
from producers.options import BucketOptions
from producers.refusals import Refusals


class _Fetched(NamedTuple):
    """What was wanted, what came, and where it lies for the moment."""

    wanted: Version
    found: Version
    path: Path


class BucketAdmission:
    """Takes in objects. An S3 object is whole when it is there, so nothing has to settle; and
    nothing is probed: one that does not decode is announced, so that its sender gets a reason.

    Args:
        scratch: a folder for objects while they are taken in.
        on_progress: called when a batch ends.
    """

    def __init__(
        self,
        bucket: WatchedBucket,
        *,
        intake: Intake,
        marks: SeenMarks,
        downloads: Downloads,
        scratch: Path,
        options: BucketOptions,
        clock: Callable[[], float],
        on_progress: Callable[[], None],
    ) -> None:
        self._bucket = bucket
        self._intake = intake
        self._marks = marks
        self._scratch = scratch
        self._options = options
        self._downloads = downloads
        self.refusals = Refusals(producer=bucket.producer, place=bucket.place)
        self.hold = Hold(options.retry, producer=bucket.producer, place=bucket.place)
        self._batches: Batches[Version] = Batches(
            self._take_in,
            size_of=lambda version: version.size,
            options=options,
            hold=self.hold,
            clock=clock,
            on_progress=on_progress,
        )
        self.announced = 0

    def __len__(self) -> int:
        """How many objects are on their way in."""
        return len(self._batches)

    @property
    def busy(self) -> bool:
        return self._batches.busy

    def offer(self, seen: Mapping[str, Version], /) -> None:
        """Takes in what was not, is not on its way, and is not too large."""
        for key, version in seen.items():
            if self._takes(version) and self._batches.under_way(key) != version:
                self._batches.add(key, version)

    def forget(self, _: str, /) -> None:
        """No notice tells of objects that go; reading one finds out."""

    def keep(self, present: AbstractSet[str], /) -> None:
        self.refusals.keep(present)

    async def work(self, group: asyncio.TaskGroup, /) -> None:
        self._batches.work(group)

    def next_look(self) -> None:
        """An object is whole when it is there: there is nothing to come back to."""

    async def finish(self) -> None:
        await self._batches.finish()

    def _is_new(self, version: Version) -> bool:
        return not self._marks.knows(self._bucket.uri(version), version.mark)

    def _fits(self, version: Version) -> bool:
        return version.size <= self._options.max_object_bytes

    def _takes(self, version: Version) -> bool:
        """Whether it is to be announced; says so if only its size stands against it."""
        if not self._is_new(version):
            self.refusals.forget(version)
            return False
        if not self._fits(version):
            most = self._options.max_object_bytes >> 20
            reason = f"larger than {most} MiB: shrink it, or raise TAGGER_BUCKET__MAX_OBJECT_MB"
            self.refusals.refuse(version, "too_large", reason)
            return False
        return True

    async def _take_in(self, batch: dict[str, Version]) -> None:
        waiting = batch
        try:
            with temporary_folder(self._scratch) as folder:
                fetched, failed = await self._fetch(list(batch.values()), folder)
                waiting = {one.wanted.key: one.wanted for one in fetched}
                waiting |= {version.key: version for version in failed}
                outcomes = await self._intake.announce_many(list(map(self._submission, fetched)))
        except OutageError as error:
            self._batches.give_back(waiting, error)
            return
        for one, outcome in zip(fetched, outcomes, strict=True):
            self._conclude(one, outcome)
        if failed:
            await self._blame(failed, some_came=bool(fetched))
        elif fetched or not self._batches.waiting:
            self.hold.succeeded()

    async def _fetch(
        self, wanted: list[Version], folder: Path
    ) -> tuple[list[_Fetched], dict[Version, OutageError]]:
        """What there is to announce, and what could not be read; of the rest there is no more to
        be said."""
        paths = [folder / str(number) for number in range(len(wanted))]
        answers = await asyncio.gather(*map(self._fetch_one, wanted, paths))
        fetched: list[_Fetched] = []
        failed: dict[Version, OutageError] = {}
        for version, path, answer in zip(wanted, paths, answers, strict=True):
            if isinstance(answer, OutageError):
                failed[version] = answer
            elif isinstance(answer, S3Error):
                self.refusals.refuse(version, "unreadable", f"{answer.code}: {answer.message}")
            elif isinstance(answer, DoesNotFitError):
                self.refusals.refuse(version, "no_room", str(answer))
            elif answer is None:
                self.refusals.forget(version)
            elif self._takes(answer):
                fetched.append(_Fetched(version, answer, path))
        return fetched, failed

    async def _fetch_one(
        self, version: Version, path: Path
    ) -> Version | OutageError | DoesNotFitError | S3Error | None:
        def take(found: Version) -> bool:
            return self._is_new(found) and self._fits(found)

        try:
            await self._check_room(version)
            return await self._downloads.fetch(version, path, take)
        except (OutageError, DoesNotFitError, S3Error) as error:
            return error

    async def _check_room(self, version: Version) -> None:
        """It takes its room twice where originals are kept on this machine: as it comes, and as it
        is stored."""
        try:
            await self._intake.check_room(Path(version.key), version.size, beside=version.size)
        except OutageError as error:
            raise NoRoomError(str(error)) from error

    async def _blame(self, failed: dict[Version, OutageError], some_came: bool) -> None:
        """Tells objects that cannot be read, and would pause all, from what is really away."""
        well = some_came or await self._answers()
        again = False
        for version, error in failed.items():
            at_fault = well and not isinstance(error, NoRoomError)
            if at_fault and self.refusals.failed(version):
                self.refusals.refuse(version, "unreadable", str(error))
            else:
                self._batches.give_back({version.key: version}, error)
                again = True
        if not again:
            self.hold.succeeded()

    async def _answers(self) -> bool:
        try:
            return await self._bucket.connection.call(
                lambda client: client.bucket_exists(self._bucket.name)
            )
        except (OutageError, S3Error):
            return False

    def _submission(self, one: _Fetched) -> Submission:
        return Submission(
            path=one.path,
            uri=self._bucket.uri(one.found),
            producer=self._bucket.producer,
            filename=one.found.key.rpartition("/")[2],
            place=self._bucket.place,
            mark=one.found.mark,
            repeat=False,
        )

    def _conclude(self, one: _Fetched, outcome: Announced | TaggingError) -> None:
        if isinstance(outcome, Announced):
            self.announced += outcome.new
            self._marks.learn(outcome.uri, one.found.mark)
            self.refusals.forget(one.wanted)
        elif isinstance(outcome, DoesNotFitError):
            self.refusals.refuse(one.wanted, "no_room", str(outcome))
        elif isinstance(outcome, ChangedWhileReadError | UnreadableFileError):
            # Nobody but us has to do with that file.
            error = OutageError(f"the scratch folder {self._scratch} is meddled with: {outcome}")
            self._batches.give_back({one.wanted.key: one.wanted}, error)
        else:
            raise outcome

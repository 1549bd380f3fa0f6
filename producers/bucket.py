"""The bucket producer: every picture and video that is put into an S3 bucket is announced once.

The same bytes under the same key say nothing new; new bytes under the key do, and so do the same
bytes under another key.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import SettingsError
from core.intake.intake import Intake
from core.s3 import S3Connection
from core.state.port import StateStore
from producers.bucket_admission import BucketAdmission
from producers.bucket_notices import BucketNotices, ServerNotices
from producers.bucket_place import BucketPlace, WatchedBucket
from producers.downloads import Downloads
from producers.hold import Hold
from producers.marks import SeenMarks
from producers.objects import Version
from producers.options import BucketOptions
from producers.producer import Producer, Standing

NAME = "bucket"


@dataclass(frozen=True, slots=True)
class BucketStatus(Standing):
    """How it stands, for the status line and health.

    Attributes:
        arriving: of the seen, on their way in.
        too_large: of the seen, refused for their size.
        no_room: of the seen, too large for what is left on the disk; tried again by each listing.
        unreadable: of the seen, those that the server does not give us; tried again now and then.
    """

    arriving: int
    too_large: int
    unreadable: int
    no_room: int

    @property
    def refused(self) -> dict[str, int]:
        """How many are not taken in as they are, by reason."""
        return {
            "too_large": self.too_large,
            "unreadable": self.unreadable,
            "no_room": self.no_room,
        }


class BucketProducer(Producer[Version, Version]):
    """Announces what is put into one bucket.

    Args:
        store_bucket: the engine's own bucket on this server; None if its blobs are elsewhere.
        scratch: a folder for objects while they are taken in; what is left there by a crash may
            be removed.
        notices: where hints come from; None listens to the server itself.
        clock: seconds, monotonic.

    Raises:
        SettingsError: the bucket is the engine's own; from ``run``, there is no such bucket when
            the server is first met.
    """

    def __init__(
        self,
        connection: S3Connection,
        bucket: str,
        *,
        intake: Intake,
        state: StateStore,
        scratch: Path,
        store_bucket: str | None,
        notices: BucketNotices | None = None,
        options: BucketOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if bucket == store_bucket:
            raise SettingsError(
                f"the bucket to watch, {bucket}, is the engine's own, and it would take in what it"
                " stores there: watch another, or set S3_BUCKET to another"
            )
        options = options or BucketOptions()
        watched = WatchedBucket(NAME, bucket, connection)
        marks, wake = SeenMarks(state, NAME, watched.place), asyncio.Event()
        notices = notices or ServerNotices(
            connection, bucket, retry=options.retry, again_s=options.rescan_s
        )
        downloads = Downloads(connection, bucket, options.downloads)
        self._on_their_way = admission = BucketAdmission(
            watched,
            intake=intake,
            marks=marks,
            downloads=downloads,
            scratch=scratch,
            options=options,
            clock=clock,
            on_progress=wake.set,
        )
        super().__init__(
            BucketPlace(watched, notices, downloads),
            admission,
            marks=marks,
            intake=intake,
            options=options,
            away=Hold(options.retry, producer=NAME, place=watched.place),
            wake=wake,
            clock=clock,
        )

    @property
    def status(self) -> BucketStatus:
        standing, refusals = self.standing, self._on_their_way.refusals
        return BucketStatus(
            state=standing.state,
            reason=standing.reason,
            seen=standing.seen,
            announced=standing.announced,
            ignored=standing.ignored,
            arriving=len(self._on_their_way),
            too_large=refusals.count("too_large"),
            unreadable=refusals.count("unreadable"),
            no_room=refusals.count("no_room"),
        )

"""How producers watch their places."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from core.errors import SettingsError
from core.runtime.retry import RetryPolicy

_MAY_BE_ZERO = ("undecodable_after_s", "self_test_s", "poll_rest", "batch_bytes", "grace_s")


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How a place is watched. Times in seconds, sizes in bytes.

    Attributes:
        rescan_s: between two listings while notices come.
        poll_s: between two listings while they do not.
        poll_rest: while they do not, a listing that takes long is followed by a rest of so many
            times as long, so that it is no server's main work.
        batch_files, batch_bytes: what is taken in together, at most.
        parallel: batches under way at once.
        grace_s: how long a stop waits for batches under way; what is cut off is redone later.
        retry: how a pause grows while a store is away or full.
    """

    rescan_s: float = 60.0
    poll_s: float = 5.0
    poll_rest: float = 0.0
    batch_files: int = 64
    batch_bytes: int = 64 << 20
    parallel: int = 3
    grace_s: float = 5.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(base_s=1.0, cap_s=30.0))

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name not in _MAY_BE_ZERO and isinstance(value, int | float) and value <= 0:
                raise SettingsError(f"{type(self).__name__}: {option.name} must be more than 0")


@dataclass(frozen=True, slots=True)
class FolderOptions(WatchOptions):
    """How a folder is watched.

    Attributes:
        settle_s: a file is taken when it has been still for this long.
        undecodable_after_s: a still file that does not decode is announced after this long.
        self_test_s: how long the start-up test waits for its file event.
        max_file_bytes: larger files are refused.
        room_again_s: how long until a file that there was no room for is tried again.
    """

    settle_s: float = 2.0
    undecodable_after_s: float = 60.0
    self_test_s: float = 2.0
    max_file_bytes: int = 2048 << 20
    room_again_s: float = 10.0


@dataclass(frozen=True, slots=True)
class BucketOptions(WatchOptions):
    """How a bucket is watched.

    Attributes:
        max_object_bytes: larger objects are refused. So the scratch folder needs room for
            ``parallel`` of them at worst.
        downloads: objects that are read at once.
    """

    rescan_s: float = 300.0
    poll_rest: float = 4.0
    max_object_bytes: int = 2048 << 20
    downloads: int = 8

"""How producers watch their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.errors import SettingsError
from core.runtime.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """How a folder is watched. Times in seconds, sizes in bytes.

    Attributes:
        settle_s: a file is taken when it has been still for this long.
        undecodable_after_s: a still file that does not decode is announced after this long.
        rescan_s: between two listings while file events come.
        poll_s: between two listings while they do not.
        self_test_s: how long the start-up test waits for its file event.
        batch_files, batch_bytes: what is taken in together, at most.
        parallel: batches under way at once.
        grace_s: how long a stop waits for batches under way; what is cut off is redone later.
        retry: how a pause grows while a store is away or full.
    """

    settle_s: float = 2.0
    undecodable_after_s: float = 60.0
    rescan_s: float = 60.0
    poll_s: float = 5.0
    self_test_s: float = 2.0
    batch_files: int = 64
    batch_bytes: int = 64 << 20
    parallel: int = 3
    grace_s: float = 5.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(base_s=1.0, cap_s=30.0))

    def __post_init__(self) -> None:
        for name in ("settle_s", "rescan_s", "poll_s", "batch_files", "parallel"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"folder option {name} must be more than 0")


@dataclass(frozen=True, slots=True)
class BucketOptions:
    """How a bucket is watched. Times in seconds, sizes in bytes.

    Attributes:
        rescan_s: between two listings while notifications come.
        poll_s: between two listings while they do not; a listing that takes long waits longer.
        max_object_bytes: larger objects are refused. So the scratch folder needs room for
            ``parallel`` of them at worst.
        downloads: objects that are read at once.
        batch_files, batch_bytes: what is taken in together, at most.
        parallel: batches under way at once.
        grace_s: how long a stop waits for batches under way; what is cut off is redone later.
        retry: how a pause grows while the server or a store is away or full.
    """

    rescan_s: float = 300.0
    poll_s: float = 5.0
    max_object_bytes: int = 2048 << 20
    downloads: int = 8
    batch_files: int = 64
    batch_bytes: int = 64 << 20
    parallel: int = 3
    grace_s: float = 5.0
    retry: RetryPolicy = field(default_factory=lambda: RetryPolicy(base_s=1.0, cap_s=30.0))

    def __post_init__(self) -> None:
        names = ("rescan_s", "poll_s", "max_object_bytes", "downloads", "batch_files", "parallel")
        for name in names:
            if getattr(self, name) <= 0:
                raise SettingsError(f"bucket option {name} must be more than 0")

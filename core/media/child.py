"""What a decoder's child does: the jobs of a table, within a limit of time and one of memory."""

from __future__ import annotations

import contextlib
import errno
import importlib
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from core.children.faults import ExhaustedError
from core.children.frames import Answer, Buffer
from core.children.served import Service
from core.errors import DecoderDiedError, OutageError, TaggingError
from core.files.space import shortage
from core.media.limits import Progress, Telling

_ALARM_GRACE_S = 5.0
_OUTAGES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS, errno.EMFILE, errno.ENFILE}
)
_EXHAUSTED = frozenset({errno.ENOMEM, errno.EAGAIN})  # EAGAIN: no memory for one more thread


def open_service(jobs: str, memory_limit_bytes: int) -> Service:
    """Serves the ``JOBS`` of that module, in no more memory than that."""
    _limit(memory_limit_bytes)
    return _Jobs(importlib.import_module(jobs).JOBS, memory_limit_bytes)


class _Jobs(Service):
    def __init__(
        self, table: Mapping[str, Callable[..., Any] | Telling], memory_limit_bytes: int
    ) -> None:
        self.handlers = {name: partial(self._perform, job) for name, job in table.items()}
        self._memory_limit_bytes = memory_limit_bytes
        self._folder: str | None = None

    def translated(self, error: Exception) -> Exception:
        if isinstance(error, TaggingError):
            return error
        if isinstance(error, MemoryError):
            return self._exhausted()
        if isinstance(error, OSError):
            if error.errno in _EXHAUSTED:
                return self._exhausted()
            if error.errno in _OUTAGES:
                return OutageError(f"the decoder cannot read or write: {error}{self._lacks()}")
            return error
        traceback.print_exception(error, file=sys.stderr)
        return DecoderDiedError(f"the decoder failed: {type(error).__name__}: {error}")

    def _perform(
        self, job: Callable[..., Any] | Telling, asked: dict[str, Any], _: list[Buffer]
    ) -> Answer:
        # The parent's clock kills first; the kernel's is for a child whose parent is gone.
        signal.setitimer(signal.ITIMER_REAL, asked["time_limit_s"] + _ALARM_GRACE_S)
        self._folder = asked["arguments"].get("folder")
        try:
            if isinstance(job, Telling):
                return Answer(job.job(**asked["arguments"], progress=Progress(self.tell)))
            return Answer(job(**asked["arguments"]))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _lacks(self) -> str:
        return shortage(Path(self._folder)) if self._folder else ""

    def _exhausted(self) -> ExhaustedError:
        return ExhaustedError(f"it needs more than {self._memory_limit_bytes >> 20} MiB of memory")


def _limit(memory_limit_bytes: int) -> None:
    """Bound what this process may allocate, and let it be the first to go when memory runs out.

    RLIMIT_DATA counts private writable memory. RLIMIT_AS would also count what libraries merely
    reserve (thread arenas, mapped files) and refuse harmless work.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")

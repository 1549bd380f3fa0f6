"""When a file counts as arrived: it has been still for a while, and then it decodes.

Pure rules over (size, mtime, inode) and a clock that is handed in; nothing here reads a disk or
sleeps. A growing file is waited for without end. One that is still and does not decode is given
the benefit of the doubt for a longer while (a download that stalled, a tool that allocates
first), then it is announced as it is, so that its sender gets a reason. One that cannot be taken
in as it is (too large, no room for it, not ours to read) waits for a change, of it or of what
stands against it.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Literal

from core.intake.originals import FileMark

Refusal = Literal["undecodable", "unreadable", "too_large", "no_room"]


@dataclass(slots=True)
class _Waiting:
    mark: FileMark
    still_since: float
    look_at: float
    refusal: Refusal | None = None
    reason: str = ""
    taken: bool = False


class Settling:
    """The files that are on their way in, by path.

    Args:
        settle_s: seconds without a change before a file is taken.
        undecodable_after_s: seconds without a change before a file that does not decode is
            announced nevertheless.
        room_again_s: seconds until a file that there was no room for is taken again.
    """

    def __init__(
        self, settle_s: float, undecodable_after_s: float, room_again_s: float = 10.0
    ) -> None:
        self._settle_s = settle_s
        self._room_again_s = max(settle_s, room_again_s)
        self._patience_s = max(settle_s, undecodable_after_s)
        self._files: dict[str, _Waiting] = {}
        # One live entry a file; an entry whose time is not its file's look_at is a stale one.
        self._looks: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: object) -> bool:
        return path in self._files

    def refused(self, refusal: Refusal) -> int:
        """How many files are still, but were refused for this reason when they were taken."""
        return sum(waiting.refusal == refusal for waiting in self._files.values())

    @property
    def standing(self) -> int:
        """How many wait for something else than the end of patience."""
        return sum(w.refusal not in (None, "undecodable") for w in self._files.values())

    def why(self) -> str:
        """The reason of one of those that are too large, or have no room; empty without any."""
        reasons = (w.reason for w in self._files.values() if w.refusal in ("too_large", "no_room"))
        return next(reasons, "")

    def observe(self, path: str, mark: FileMark, now: float) -> bool:
        """Says what a file looks like at ``now`` (seconds); True when it is to be taken.

        A file that is taken is not offered again before :meth:`retry` or :meth:`refuse`.
        """
        waiting = self._files.get(path)
        if waiting is None:
            waiting = self._files[path] = _Waiting(mark, now, math.inf)
            self._look(path, waiting, now + self._settle_s)
        elif waiting.mark != mark:
            waiting.mark, waiting.still_since, waiting.refusal = mark, now, None
            # A look that is planned already finds out by itself that it came too early: a file
            # that changes a thousand times a second costs one plan, not a thousand.
            if not waiting.taken:
                self._look(path, waiting, min(waiting.look_at, now + self._settle_s))
        if waiting.taken or now < self._ripe_at(waiting):
            return False
        waiting.taken, waiting.look_at = True, math.inf
        return True

    def due(self, now: float) -> list[str]:
        """The files to look at again by now; each is planned anew until it is observed."""
        paths = []
        while self._looks and self._looks[0][0] <= now:
            at, path = heapq.heappop(self._looks)
            waiting = self._files.get(path)
            if waiting is None or waiting.look_at != at:
                continue
            ripe_at = self._ripe_at(waiting)
            if ripe_at > now:
                self._look(path, waiting, ripe_at)
            else:
                paths.append(path)
                self._look(path, waiting, now + self._settle_s)
        return paths

    def next_look(self) -> float | None:
        """The time of the next look, in seconds; None when nothing waits for one."""
        while self._looks:
            at, path = self._looks[0]
            waiting = self._files.get(path)
            if waiting is not None and waiting.look_at == at:
                return at
            heapq.heappop(self._looks)
        return None

    def patience_over(self, path: str, now: float) -> bool:
        """Whether a file that does not decode has been still for long enough to be announced."""
        waiting = self._files.get(path)
        return waiting is not None and now - waiting.still_since >= self._patience_s

    def refuse(
        self, path: str, mark: FileMark, now: float, refusal: Refusal, reason: str = ""
    ) -> bool:
        """The taken file is of no use as it is: wait for a change, or for the end of patience
        (another one, if this one is over). True if it is news."""
        waiting = self._files.get(path)
        if waiting is None:
            return False
        if refusal == "no_room" or self.patience_over(path, now):
            waiting.still_since = now
        news = waiting.refusal != refusal
        if waiting.mark == mark:
            waiting.refusal, waiting.reason = refusal, reason
        self._give_back(path, waiting, now)
        return news

    def retry(self, path: str, mark: FileMark, now: float) -> None:
        """The taken file changed while it was read: it settles anew."""
        waiting = self._files.get(path)
        if waiting is not None:
            if waiting.mark == mark:
                waiting.still_since = now
            waiting.refusal = None
            self._give_back(path, waiting, now)

    def done(self, path: str, mark: FileMark, now: float) -> None:
        """The taken file was announced as ``mark``; if it has changed since, it stays."""
        waiting = self._files.get(path)
        if waiting is not None and waiting.mark == mark:
            del self._files[path]
        elif waiting is not None:
            self._give_back(path, waiting, now)

    def forget(self, path: str) -> None:
        """The file is gone."""
        self._files.pop(path, None)

    def _give_back(self, path: str, waiting: _Waiting, now: float) -> None:
        waiting.taken = False
        self._look(path, waiting, max(self._ripe_at(waiting), now))

    def _ripe_at(self, waiting: _Waiting) -> float:
        if waiting.refusal is None:
            return waiting.still_since + self._settle_s
        if waiting.refusal == "no_room":
            return waiting.still_since + self._room_again_s
        return waiting.still_since + self._patience_s

    def _look(self, path: str, waiting: _Waiting, at: float) -> None:
        if at != waiting.look_at:
            waiting.look_at = at
            heapq.heappush(self._looks, (at, path))

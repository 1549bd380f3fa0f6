"""What a producer does while a store is away or full: it waits, logs that once, and tries again."""

from __future__ import annotations

import structlog

from core.errors import OutageError
from core.runtime.retry import RetryPolicy


class Hold:
    """Keeps intake still between two tries. Holds no clock: ``now`` is handed in, in seconds."""

    def __init__(self, policy: RetryPolicy, **context: str) -> None:
        self._policy = policy
        self._log = structlog.get_logger().bind(**context)
        self._failures = 0
        self._until = 0.0
        self.reason: str | None = None
        """Why intake is paused; None while it is not."""

    def failed(self, error: OutageError, now: float) -> None:
        """A try met an outage. Tries that were under way together count as one."""
        if self.reason is None:
            self._log.warning(
                "intake_paused",
                reason=str(error),
                consequence="files wait where they are; taken in again by itself",
            )
        self.reason = str(error)
        if now >= self._until:
            self._failures += 1
            self._until = now + self._policy.base_s / 2 + self._policy.delay(self._failures)

    def succeeded(self) -> None:
        """A try went through."""
        if self.reason is not None:
            self._log.info("intake_resumed", after_failures=self._failures)
            self.reason, self._failures, self._until = None, 0, 0.0

    def waits_until(self) -> float | None:
        """When the next try may start; None when nothing holds it."""
        return self._until if self.reason is not None else None

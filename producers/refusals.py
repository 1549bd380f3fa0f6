"""Objects that lie in a bucket and are not announced, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from typing import Literal

import structlog

from producers.objects import Version

Refusal = Literal["too_large", "no_room", "unreadable"]

_TRIES = 3


class Refusals:
    """By key, the version that was refused; each version is said once."""

    def __init__(self, **context: str) -> None:
        self._log = structlog.get_logger().bind(**context)
        self._refused: dict[str, tuple[Refusal, Version]] = {}
        self._failures: Counter[Version] = Counter()

    def count(self, refusal: Refusal) -> int:
        return sum(kind == refusal for kind, _ in self._refused.values())

    def refuse(self, version: Version, refusal: Refusal, reason: str) -> None:
        """It stays where it is; a change of it, or of what stood against it, lets it in."""
        if self._refused.get(version.key) != (refusal, version):
            self._refused[version.key] = (refusal, version)
            self._log.warning(
                "object_refused", key=version.key, size=version.size, why=refusal, reason=reason
            )

    def failed(self, version: Version) -> bool:
        """Reading it failed although its server is well; True when it was tried often enough."""
        self._failures[version] += 1
        return self._failures[version] >= _TRIES

    def forget(self, version: Version) -> None:
        """It was taken in, or is gone."""
        self._refused.pop(version.key, None)
        self._failures.pop(version, None)

    def keep(self, keys: Container[str]) -> None:
        """Forgets what is not in the bucket any more."""
        self._refused = {key: it for key, it in self._refused.items() if key in keys}
        self._failures = Counter({v: n for v, n in self._failures.items() if v.key in keys})

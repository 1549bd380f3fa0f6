"""How far something has come: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from infra.cli.show import screen

_LINE_EVERY_S = 10.0


class Meter:
    """Counts up to ``total``; shown on stderr, so that the output stays for results."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._console = screen.err()
        self._done = 0
        self._total = total
        self._printed_at = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(what, total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
        if not self._console.is_terminal:
            self._line()

    def advance(self) -> None:
        self._done += 1
        self._bar.advance(self._task)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._printed_at >= _LINE_EVERY_S:
            self._printed_at = now
            self._line()

    def _line(self) -> None:
        self._console.print(f"{self._what}: {self._done} of {self._total}")

"""The status of a running engine: a picture that renews itself, or a line now and then."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from core.errors import OutageError
from infra.cli.show import screen
from infra.watching.status import Observer, Status
from infra.wiring.adapters import Choice
from producers.folder import FolderStatus
from producers.left_out import in_words

_PICTURE_EVERY_S = 0.5
_LINE_EVERY_S = 10.0


class StatusView:
    """Shows what an observer sees, on stderr."""

    def __init__(self) -> None:
        self._console = screen.err()
        self._live = Live(console=self._console, transient=True, auto_refresh=False)
        self._said = ""

    def screen(self) -> AbstractContextManager[object]:
        """While it is open, what others print to stderr stands above the picture."""
        return self._live if self._console.is_terminal else nullcontext()

    def chosen(self, choices: Sequence[Choice]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        for choice in choices:
            table.add_row(choice.port, escape(choice.adapter), f"[dim]{choice.setting}[/]")
        self._console.print(table)

    def say(self, text: str) -> None:
        self._console.print(escape(text))

    async def show(self, observer: Observer) -> None:
        """Until it is cancelled. While the log or a store is away, it says that."""
        while True:
            try:
                status = await observer.status()
            except OutageError as outage:
                self._line(f"no status: {outage}")
                await asyncio.sleep(_LINE_EVERY_S)
                continue
            if self._console.is_terminal:
                self._live.update(picture(status), refresh=True)
                await asyncio.sleep(_PICTURE_EVERY_S)
            else:
                self._line(line(status))
                await asyncio.sleep(_LINE_EVERY_S)

    def _line(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._console.print(escape(text))


def line(status: Status) -> str:
    """``12 tagged, 1 failed, 30 waiting, 3.2/s, 9 s left``."""
    parts = [f"{status.tagged} tagged", f"{status.failed} failed", f"{status.waiting} waiting"]
    if status.waiting:
        parts.append(f"{status.rate:.1f}/s")
        if status.remaining_s is not None:
            parts.append(f"{duration(status.remaining_s)} left")
    if status.paused:
        parts.append(f"paused: {status.paused}")
    if status.waits_for:
        parts.append(_waits(status))
    if status.unread:
        parts.append(status.unread)
    if left_out := sum((Counter(folder.ignored) for _, folder in status.folders), Counter()):
        parts.append(f"not read: {in_words(left_out)}")
    return ", ".join(parts)


def _waits(status: Status) -> str:
    """What keeps media without a result, where nothing is worked on."""
    more = status.waiting - len(status.waits_for)
    named = "; ".join(status.waits_for) + (f"; and {more} more" if more > 0 else "")
    return f"waiting for parts that may never come, until they are overdue: {named}"


def picture(status: Status) -> Group:
    """The line, the stages with their backlogs, and the watched folders."""
    stages = Table.grid(padding=(0, 3, 0, 0))
    stages.add_row(*(f"[dim]{stage.name}[/]" for stage in status.stages))
    stages.add_row(
        *(
            "[yellow]paused[/]" if stage.paused else f"{stage.backlog}" if stage.backlog else "-"
            for stage in status.stages
        )
    )
    folders = Table.grid(padding=(0, 2, 0, 0))
    for path, folder in status.folders:
        state = "yellow" if folder.state in ("paused", "polling") else "green"
        counts = f"{folder.seen} media, {folder.settling} arriving, {folder.announced} announced"
        if folder.undecodable:
            counts += f", {folder.undecodable} undecodable so far"
        counts += "".join(f", {words}" for words in _refused(folder))
        why = escape(folder.reason or folder.why)
        folders.add_row(escape(str(path)), f"[{state}]{folder.state}[/]", counts, f"[dim]{why}[/]")
    parts: list[Text | Table] = [Text(line(status), style="bold"), stages, folders]
    if status.paused:
        parts.append(Text(f"paused, nothing is lost: {status.paused}", style="yellow"))
    return Group(*parts)


def left_out(status: Status) -> list[str]:
    """Of each folder what was not taken in, and why: ``photos: 1 too large; a.mp4: 4,096 MiB ...``
    for a person who may think that all is done."""
    return [
        f"{path}: {', '.join(words)}" + (f"; {folder.why}" if folder.why else "")
        for path, folder in status.folders
        if (words := _refused(folder))
    ]


def _refused(folder: FolderStatus) -> list[str]:
    words = {
        "unreadable": folder.unreadable,
        "too large": folder.too_large,
        "without room": folder.no_room,
    }
    return [f"{count} {word}" for word, count in words.items() if count]


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"

"""A service that may say anything to its parent, and in any way."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from core.children.frames import Answer, Buffer
from core.children.served import Service
from core.errors import FormatError


class Rogue(Service):
    def __init__(self) -> None:
        self.handlers = {
            "echo": lambda asked, buffers: Answer(asked["value"], buffers),
            "write": self._write,
            "pause": self._pause,
            "work": self._work,
            "die": lambda asked, _: os.kill(os.getpid(), asked["signal"]),  # type: ignore[dict-item]
        }

    def _write(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        os.write(_replies(), bytes.fromhex(asked["hex"]))
        signal.pause()
        return Answer()

    def _pause(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        signal.pause()
        return Answer()

    def _work(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        ends_at = time.process_time() + asked["processor_s"]
        while time.process_time() < ends_at:
            pass
        return Answer("worked")


def open_service(refuses: str = "", dies: str = "", hangs: bool = False) -> Service:
    if refuses:
        raise FormatError(refuses)
    if dies:
        sys.exit(dies)
    if hangs:
        signal.pause()
    return Rogue()


def _replies() -> int:
    """The parent's pipe, which a service has no business with."""
    for entry in Path("/proc/self/fd").iterdir():
        handle = int(entry.name)
        if handle <= 2 or not entry.exists() or not os.readlink(entry).startswith("pipe:"):
            continue
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
            return handle
    raise AssertionError("there is no pipe to the parent")

"""Jobs for the tests' children: what media must not do to them, and looks at them from inside."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import core
from core.errors import StageStopError, UndecodableError
from core.media.jobs import JOBS as REAL_JOBS


def segfault() -> None:
    ctypes.string_at(0)


def hog() -> None:
    _ = [bytearray(1 << 20) for _ in range(100_000)]


def fail(number: int) -> None:
    raise OSError(number, os.strerror(number))


def refuse(words: str) -> None:
    raise UndecodableError(words)


def stop() -> None:
    raise StageStopError("stop, everybody")


def answer_a_function() -> Callable[[], None]:
    return hog


def nap(seconds: float) -> int:
    threading.Event().wait(seconds)
    return os.getpid()


def meet(mine: str, other: str) -> int:
    """Returns once both sides have come, which takes two processes at once."""
    Path(mine).touch()
    while not Path(other).exists():
        threading.Event().wait(0.01)
    return os.getpid()


def die_at_the_next() -> None:
    os.environ["DAMAGED"] = "1"


def mortal() -> str:
    if os.environ.get("DAMAGED"):
        os._exit(9)
    return "alive"


def echo(value: Any) -> Any:
    return value


JOBS: dict[str, Callable[..., Any]] = {
    **REAL_JOBS,
    **{job.__name__: job for job in (segfault, hog, fail, refuse, stop, answer_a_function)},
    **{job.__name__: job for job in (nap, meet, die_at_the_next, mortal, echo)},
    "pid": os.getpid,
    "pause": signal.pause,
    "exit": lambda code: os._exit(code),
    "sys_exit": lambda code: sys.exit(code),
    "signal": lambda number: signal.raise_signal(number),
    "allocate": lambda size: len(bytearray(size)),
    "parse": lambda text: int(text),
    "open": lambda path: Path(path).read_text(),
    "fill": lambda path: Path(path).write_text("more"),
    "write": lambda handle, text: os.write(handle, text.encode()),
    "open_files": lambda: sum(1 for _ in Path("/proc/self/fd").iterdir()),
    "environment": lambda: dict(os.environ),
    "modules": lambda: sorted(sys.modules),
    "where": lambda: str(Path(core.__file__).parent),
}

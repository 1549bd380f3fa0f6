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
from core.media.limits import Progress, Telling


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


def leave_a_line(marker: str) -> None:
    with Path(marker).open("a") as file:
        file.write("begun\n")


def spin(marker: str | None = None) -> None:
    """Works without end."""
    if marker is not None:
        leave_a_line(marker)
    while True:
        pass


def rest(marker: str) -> None:
    """Does nothing without end."""
    leave_a_line(marker)
    signal.pause()


def frames_for(frames: int, pixels: int, then: str, progress: Progress) -> str:
    """Gives frames as a decoder does, then is done, works on without a frame, or stands still."""
    for _ in range(frames):
        progress.frame(pixels, 1)
    if then == "spin":
        spin()
    elif then == "pause":
        signal.pause()
    return then


def boast(claims: list[int], progress: Progress) -> None:
    """Claims to have decoded that much, and works without end."""
    for claim in claims:
        progress._tell(claim)
    spin()


def stop_at_first(marker: str) -> str:
    """Stops its process, unless it did so before."""
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return "went on"


def count_deaths(marker: str) -> None:
    leave_a_line(marker)
    os._exit(3)


def die_at_the_next() -> None:
    os.environ["DAMAGED"] = "1"


def mortal() -> str:
    if os.environ.get("DAMAGED"):
        os._exit(9)
    return "alive"


def echo(value: Any) -> Any:
    return value


JOBS: dict[str, Callable[..., Any] | Telling] = {
    **REAL_JOBS,
    **{job.__name__: job for job in (segfault, hog, fail, refuse, stop, answer_a_function)},
    **{job.__name__: job for job in (nap, meet, die_at_the_next, mortal, echo)},
    **{job.__name__: job for job in (spin, rest, stop_at_first, count_deaths)},
    **{job.__name__: Telling(job) for job in (frames_for, boast)},
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

"""How a child is started, what it is given, and how its end reads in words."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.children.frames import Bounds
from core.errors import OutageError

_PROGRAM = Path(__file__).with_name("program.py")
_NEEDED = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME"}
    | {"OMP_WAIT_POLICY", "OPENCV_FOR_THREADS_NUM"}  # beside the numbers of threads
)
"""What a child sees of the environment, beside locale, threads and malloc: where Python and its
libraries are, and where files go. Passwords and addresses of services are in the rest."""
_WHY = {
    "SIGKILL": ": killed, most likely for want of memory",
    # What a full disk does to whoever writes through a mapped file.
    "SIGBUS": ": is the disk full?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a child is to be, and all that it is given.

    Attributes:
        name: in messages, ``the decoder``.
        service: the module whose ``open_service(**options)`` it serves.
        options: what JSON can hold; other users of the machine can read it.
        bounds: of every message, in both directions.
        environment: beside what every child sees.
        start_limit_s: seconds until it must be ready.
        silence_limit_s: seconds in which a child that was asked something must answer something,
            or at least work: one that does neither is stopped or stuck, and is killed. Ten times
            as long, one that works.
    """

    name: str
    service: str
    bounds: Bounds
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    start_limit_s: float = 60.0
    silence_limit_s: float | None = None


async def launch(program: Program, pass_fds: tuple[int, ...] = ()) -> Process:
    """A process that is about to serve the program, with pipes. Raises OutageError."""
    try:
        # A session of its own keeps the terminal's Ctrl-C away from work in flight.
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}"),
            *(str(_PROGRAM), _arguments(program)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**_environment(), **program.environment},
            pass_fds=pass_fds,
            start_new_session=True,
            umask=0o077,  # what it leaves is for our user alone
        )
    except OSError as error:
        raise OutageError(f"{program.name} cannot be started: {error}") from error


def processor_seconds(pid: int) -> float | None:
    """What a running process has used of processors so far, in seconds; None where the system
    does not say (it is Linux that does)."""
    try:
        # proc(5): the name, in brackets, may hold anything; utime and stime follow behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # real-time signals have no names
        name = f"signal {-code}"
    return f"died of {name}{_WHY.get(name, '')}"


def _arguments(program: Program) -> str:
    return json.dumps(
        {
            "parent": os.getpid(),
            "search_path": [str(Path(entry).absolute()) for entry in sys.path],
            "service": program.service,
            "options": dict(program.options),
            "bounds": program.bounds,
        }
    )


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name in _NEEDED or name.startswith(("LC_", "MALLOC_")) or name.endswith("_NUM_THREADS")
    }

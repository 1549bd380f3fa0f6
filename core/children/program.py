"""The program that a child runs: ``python -P program.py ARGUMENTS``.

Started by path, so a folder named ``core`` in the working directory cannot stand in for ours:
nothing of the project is imported before the module search path is the parent's own.

Nobody sends a child a polite signal: those that a terminal or a service manager sends to everyone
are ignored, because the parent still wants the work it has begun. A child ends when the parent
closes the pipe, kills it, or dies.
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    given = json.loads(sys.argv[1])
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    _die_with(given["parent"])
    line = _own_pipes()
    sys.path[:] = given["search_path"]
    from core.children.frames import Bounds
    from core.children.served import run

    run(given["service"], given["options"], Bounds(*given["bounds"]), line)


def _die_with(parent: int) -> None:
    """Asks the kernel to kill this process with its parent, be it in the middle of a long call;
    where the kernel does not do that, the pipe's end must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _own_pipes() -> tuple[int, int]:
    """Keeps the pipes to ourselves: a library that prints must not write into the protocol."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, replies


if __name__ == "__main__":
    main()

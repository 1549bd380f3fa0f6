"""The engine's process: takes requests from its standard input until that ends.

Qdrant's engine holds Python's lock during every call, also while it builds an index for a minute:
in the process that serves events, that would stop heartbeats and everything else.

Started by path (``python -P child.py ARGUMENTS``), so a folder named ``core`` in the working
directory cannot stand in for ours. The signals that a terminal or a service manager sends to
everyone are ignored, because the parent still wants what it asked for. The process ends when the
parent closes the pipe or dies.
"""

import ctypes
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.vectors.edge.engine import Engine
    from core.vectors.edge.wire import Reply

_PR_SET_PDEATHSIG = 1
_QUIET_S = 1.0
"""Without a request for this long, nobody is about to wait for one."""

_CHANGES = frozenset({"upsert", "annotate", "delete"})
_CHANGES_AT_ONCE = 64
"""Changes that share a sync, if as many have arrived."""


def main() -> None:
    folder, search_path, parent = json.loads(sys.argv[1])
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    _die_with(parent)
    sys.path[:] = search_path
    requests, replies = _own_pipes()
    from core.vectors.edge.engine import Engine
    from core.vectors.edge.wire import Reply, pack

    value, error = _attempt(lambda: Engine(Path(folder)))
    _write(replies, pack(Reply(0, None, error)))
    if error is None:
        serve(value, requests, replies)


def serve(engine: "Engine", requests: int, replies: int) -> None:
    """Answers in the order of arrival, except that a change is answered once it is on the disk."""
    from core.vectors.edge.wire import pack, unpack_request

    while True:
        if not _ready(requests, _QUIET_S if engine.untidy else None):
            # What fails here (a full disk) fails the next request too, and is told there.
            _attempt(engine.tidy)
            continue
        changed: list[Reply] = []
        while len(changed) < _CHANGES_AT_ONCE and _ready(requests, 0):
            if not (body := _read(requests)):
                engine.close()
                return
            request = unpack_request(body)
            reply = _answer(engine, request.number, request.call, request.arguments)
            if request.call in _CHANGES and reply.error is None:
                changed.append(reply)
            else:
                _write(replies, pack(reply))
        if changed:
            _, error = _attempt(engine.sync)
            for reply in changed:
                _write(replies, pack(reply._replace(error=error)))


def _answer(engine: "Engine", number: int, call: str, arguments: tuple[Any, ...]) -> "Reply":
    from core.vectors.edge.wire import Reply

    value, error = _attempt(lambda: getattr(engine, call)(*arguments))
    return Reply(number, value, error)


def _attempt(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """The value, or an error that can travel."""
    from core.errors import OutageError, TaggingError

    try:
        return work(), None
    except (TaggingError, ValueError) as error:
        return None, error
    except Exception as error:
        # The engine's own errors are of no class but Exception. What it is given was checked
        # before, so they are about its files.
        if type(error) is Exception or isinstance(error, OSError):
            return None, OutageError(f"the vector engine failed: {error}")
        return None, RuntimeError(f"the vector engine failed: {error!r}")


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


def _ready(pipe: int, timeout_s: float | None) -> bool:
    return bool(select.select([pipe], [], [], timeout_s)[0])


def _read(pipe: int) -> bytes:
    """The next message, or nothing when the parent is gone."""
    from core.vectors.edge.wire import LENGTH

    head = _read_exactly(pipe, LENGTH.size)
    return _read_exactly(pipe, LENGTH.unpack(head)[0]) if head else b""


def _read_exactly(pipe: int, size: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < size:
        piece = os.read(pipe, size - len(pieces))
        if not piece:
            return b""
        pieces += piece
    return bytes(pieces)


def _write(pipe: int, message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


if __name__ == "__main__":
    main()

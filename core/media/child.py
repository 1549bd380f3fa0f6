"""The decoder's child process: takes jobs from its standard input until that ends.

Started by path (``python -P child.py PARENT_PID``), so a folder named ``core`` in the working
directory cannot stand in for ours: nothing of the project is imported before the parent has sent
its own module search path. A message is its length (4 bytes, big endian) and a pickle.

Nobody sends a child a polite signal: those that a terminal or a service manager sends to everyone
are ignored, because the parent still wants the work it has begun. The child ends when the parent
closes the pipe, kills it, or dies.
"""

import contextlib
import ctypes
import errno
import os
import pickle
import resource
import signal
import struct
import sys
import traceback
from pathlib import Path
from typing import Any, BinaryIO

_LENGTH = struct.Struct(">I")
_PR_SET_PDEATHSIG = 1
_ALARM_GRACE_S = 5.0
_OUTAGES = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EROFS, errno.EMFILE, errno.ENFILE}
)
_EXHAUSTED = frozenset({errno.ENOMEM, errno.EAGAIN})  # EAGAIN: no memory for one more thread


def serve(parent_pid: int) -> None:
    """Answer requests until the parent's pipe ends."""
    requests, replies = _own_pipes()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    _die_with(parent_pid)
    search_path, memory_limit_bytes = pickle.loads(_read(requests))  # noqa: S301
    sys.path[:] = search_path
    _limit(memory_limit_bytes)
    _write(replies, ("ready", None))
    while request := _read(requests):
        _write(replies, _answer(request, memory_limit_bytes))


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to ourselves: a library that prints must not write into the protocol."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, replies


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to kill this process with its parent; elsewhere the pipe's end must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)


def _limit(memory_limit_bytes: int) -> None:
    """Bound what this process may allocate, and let it be the first to go when memory runs out.

    RLIMIT_DATA counts private writable memory. RLIMIT_AS would also count what libraries merely
    reserve (thread arenas, mapped files) and refuse harmless work.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_limit_bytes, memory_limit_bytes))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")


def _answer(request: bytes, memory_limit_bytes: int) -> tuple[str, Any]:
    """``done`` with the result, ``raised`` with an error, or ``exhausted`` for want of memory."""
    from core.errors import DecoderDiedError, OutageError, TaggingError

    too_much = f"it needs more than {memory_limit_bytes >> 20} MiB of memory"
    try:
        job, time_limit_s = pickle.loads(request)  # noqa: S301
        # The parent's clock kills first; the kernel's is for a child whose parent is gone.
        signal.setitimer(signal.ITIMER_REAL, time_limit_s + _ALARM_GRACE_S)
        return "done", job()
    except TaggingError as error:
        return "raised", error
    except MemoryError:
        return "exhausted", too_much
    except OSError as error:
        if error.errno in _EXHAUSTED:
            return "exhausted", too_much
        if error.errno in _OUTAGES:
            return "raised", OutageError(f"the decoder cannot read or write: {error}")
        return "raised", error
    except Exception as error:
        _complain(traceback.format_exc())
        return "raised", DecoderDiedError(f"the decoder failed: {type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _complain(text: str) -> None:
    """To the parent's debug log."""
    os.write(2, text.encode(errors="replace"))


def _read(pipe: BinaryIO) -> bytes:
    """The next message, or nothing when the parent is gone."""
    head = pipe.read(_LENGTH.size)
    return pipe.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""


def _write(pipe: BinaryIO, reply: tuple[str, Any]) -> None:
    try:
        body = pickle.dumps(reply)
    except Exception as error:  # an answer that cannot travel is the job's fault, not the child's
        from core.errors import DecoderDiedError

        words = f"the decoder's answer cannot be sent: {type(error).__name__}: {error}"
        body = pickle.dumps(("raised", DecoderDiedError(words)))
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]))

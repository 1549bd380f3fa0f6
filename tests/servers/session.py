"""One server of a kind for a whole test session, whichever xdist worker asks for it first."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock

from tests.servers.process import ServerProcess

_FOLDER = "TAGGER_TEST_SESSION"
_REQUIRED = "TAGGER_TEST_SERVERS_REQUIRED"
_END_S = 5.0

Address = dict[str, str]
Start = Callable[[Path], tuple[ServerProcess, Address]]
"""Starts a server in an empty folder; what it returns says how to reach it."""


def begin(config: pytest.Config) -> None:
    """Called by the process that starts the workers: makes the session's folder, and sees to it
    that the servers end with the session."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="tagger-tests-"))
    os.environ[_FOLDER] = str(folder)  # workers inherit it
    config.add_cleanup(lambda: _end(folder))


def shared(name: str, start: Start) -> Address:
    """How to reach the session's server of this name; the first call starts it."""
    folder = Path(os.environ[_FOLDER])
    record = folder / f"{name}.json"
    with FileLock(folder / f"{name}.lock"):
        if not record.exists():
            shutil.rmtree(folder / name, ignore_errors=True)  # a start that failed left it
            (folder / name).mkdir()
            process, address = start(folder / name)
            record.write_text(json.dumps({"pid": process.pid, "address": address}))
        found: Address = json.loads(record.read_text())["address"]
        return found


def unavailable(reason: str) -> NoReturn:
    """Skips the test that needs what is not to be had here; where servers are required, as in
    CI, that is a failure."""
    if os.environ.get(_REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def _end(folder: Path) -> None:
    """Their data goes, too, so there is nothing that a graceful end would save."""
    pids = [json.loads(record.read_text())["pid"] for record in folder.glob("*.json")]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + _END_S
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # ours, if this process started it: leave no zombie
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True

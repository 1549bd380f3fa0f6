from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import BusyError, OutageError
from core.files.lock import FileLock

_HOLD = """
import sys, pathlib
from core.files.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
lock.acquire("it")
print("held", flush=True)
sys.stdin.read()
"""
_HOLD_AND_FORK = """
import os, sys, pathlib
from core.files.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
lock.acquire("it")
if os.fork() == 0:
    print("forked", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    first.acquire("the engine")

    with pytest.raises(BusyError, match=rf"the engine is in use by process {os.getpid()};"):
        second.acquire("the engine")


def test_a_released_lock_can_be_taken(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    first.acquire("it")
    first.release()

    second.acquire("it")

    second.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid}"):
            FileLock(path).acquire("it")
        holder.kill()

    FileLock(path).acquire("it")


def test_a_forked_child_does_not_keep_its_dead_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    command = [sys.executable, "-c", _HOLD_AND_FORK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"forked\n"
        holder.kill()
        holder.wait()

        FileLock(path).acquire("it")


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutageError, match="lock"):
        FileLock(tmp_path / "file" / "a.lock").acquire("it")

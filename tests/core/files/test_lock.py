from __future__ import annotations

import asyncio
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
_HOLD_AND_SHARE = """
import subprocess, sys, pathlib
from core.files.lock import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
lock.acquire("it")
handle = lock.share()
child = subprocess.Popen(["cat"], stdin=sys.stdin, stdout=subprocess.DEVNULL, pass_fds=(handle,))
print("shared", flush=True)
child.wait()
"""


def _running(script: str, path: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


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
    with _running(_HOLD, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError, match=f"process {holder.pid}"):
            FileLock(path).acquire("it")
        holder.kill()

    FileLock(path).acquire("it")


def test_a_forked_child_does_not_keep_its_dead_parents_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with _running(_HOLD_AND_FORK, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"forked\n"
        holder.kill()
        holder.wait()

        FileLock(path).acquire("it")


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(OutageError, match="lock"):
        FileLock(tmp_path / "file" / "a.lock").acquire("it")


async def test_the_child_of_a_dead_holder_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with _running(_HOLD_AND_SHARE, path) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"shared\n"
        with pytest.raises(BusyError, match=rf"process {holder.pid}; ask it"):
            await FileLock(path).take_over("it", advice="ask it")
        holder.kill()
        await asyncio.to_thread(holder.wait)
        with pytest.raises(BusyError):
            FileLock(path).acquire("it")

        taking = asyncio.create_task(FileLock(path).take_over("it"))
        await asyncio.sleep(0)
        assert not taking.done()
        holder.stdin.close()

        await taking


def test_a_shared_lock_is_held_until_the_child_has_let_go(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "a.lock"), FileLock(tmp_path / "a.lock")
    first.acquire("it")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(first.share(),)) as child:
        first.release()

        with pytest.raises(BusyError):
            second.acquire("it")

        assert child.stdin is not None
        child.stdin.close()
        child.wait()
    second.acquire("it")
    second.release()


def test_a_lock_that_is_not_held_cannot_be_shared(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not held"):
        FileLock(tmp_path / "a.lock").share()

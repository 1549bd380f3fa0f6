"""The pool: a job's misfortune is its own."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from functools import partial
from pathlib import Path

import psutil
import pytest

from core.errors import DecoderDiedError, OutageError, UndecodableError
from core.media.children import DecoderPool
from tests.core.media.conftest import MEMORY_BYTES

SEGFAULT = partial(ctypes.string_at, 0)
HOG = partial(eval, "[bytearray(1 << 20) for _ in range(100_000)]")
ROOT = Path(__file__).parents[3]


def _raise(error: Exception) -> None:
    raise error


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def test_jobs_run_in_warm_children_outside_this_process(pool: DecoderPool) -> None:
    pids = [await pool.run(os.getpid) for _ in range(5)]

    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()


async def test_as_many_jobs_run_at_once_as_there_are_workers(
    pool: DecoderPool, tmp_path: Path
) -> None:
    first = pool.run(partial(_meet, tmp_path / "first", tmp_path / "second"))
    second = pool.run(partial(_meet, tmp_path / "second", tmp_path / "first"))
    third = pool.run(os.getpid)

    pids = await asyncio.gather(first, second, third)

    assert len(set(pids)) == 2


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (SEGFAULT, "SIGSEGV"),
        (partial(os._exit, 3), "exit code 3"),
        (partial(sys.exit, 4), "exit code 4"),
        (partial(signal.raise_signal, signal.SIGKILL), "killed"),
        (partial(bytearray, 1 << 40), "1024 MiB of memory"),
        (HOG, "1024 MiB of memory"),
        (partial(_raise, BlockingIOError(errno.EAGAIN, "no more threads")), "1024 MiB of memory"),
        (partial(int, "x"), "ValueError: invalid literal"),
        (partial(eval, "lambda: 0"), "cannot be sent"),
    ],
    ids=["segfault", "exit", "sys_exit", "kill", "huge", "hog", "threads", "bug", "answer"],
)
async def test_a_bad_job_fails_alone(pool: DecoderPool, job: partial[object], words: str) -> None:
    neighbour = asyncio.create_task(pool.run(partial(_nap_and_pid, 0.3)))

    with pytest.raises(DecoderDiedError, match=words):
        await pool.run(job)

    assert await neighbour > 0
    assert await pool.run(os.getpid) > 0


async def test_a_job_over_its_time_is_killed(pool: DecoderPool) -> None:
    neighbour = asyncio.create_task(pool.run(partial(_nap_and_pid, 1.0)))

    with pytest.raises(DecoderDiedError, match=r"longer than 0\.3 s"):
        await pool.run(signal.pause, time_limit_s=0.3)

    assert await neighbour in _children()
    assert await pool.run(os.getpid) > 0


async def test_errors_of_the_tree_and_of_the_system_come_back_as_themselves(
    pool: DecoderPool,
) -> None:
    with pytest.raises(UndecodableError, match="no picture"):
        await pool.run(partial(_raise, UndecodableError("no picture")))
    with pytest.raises(FileNotFoundError):
        await pool.run(partial(open, "/no/such/file"))


async def test_a_full_disk_is_an_outage(pool: DecoderPool) -> None:
    with pytest.raises(OutageError, match="No space left"):
        await pool.run(partial(Path("/dev/full").write_text, "more"))


async def test_a_child_that_takes_too_long_to_start_is_an_outage_in_words(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.media.process._START_LIMIT_S", 0.001)

    with pytest.raises(OutageError, match=r"does not start: it was not ready within 0.001 s"):
        await pool.run(os.getpid)


async def test_a_child_killed_while_idle_costs_no_job(pool: DecoderPool) -> None:
    victim = await pool.run(os.getpid)
    os.kill(victim, signal.SIGKILL)

    assert await pool.run(os.getpid) != victim


async def test_damage_left_by_an_earlier_job_is_not_blamed_on_the_next(pool: DecoderPool) -> None:
    await pool.run(_die_at_the_next_job)

    assert await pool.run(_mortal) == "alive"


async def test_a_cancelled_job_loses_its_child_and_frees_its_slot() -> None:
    async with DecoderPool(1, time_limit_s=60, memory_limit_bytes=MEMORY_BYTES) as pool:
        pid = await pool.run(os.getpid)
        task = asyncio.create_task(pool.run(signal.pause))
        await asyncio.sleep(0.1)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.run(os.getpid) != pid
        assert not psutil.pid_exists(pid)


async def test_closing_leaves_no_process_and_costs_running_jobs_no_attempt() -> None:
    before = _children()
    pool = DecoderPool(2, time_limit_s=60, memory_limit_bytes=MEMORY_BYTES)
    running = [asyncio.create_task(pool.run(signal.pause)) for _ in range(3)]
    await asyncio.sleep(0.05)  # some are just being started

    await pool.close()

    assert _children() == before
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results] == [OutageError] * 3
    with pytest.raises(OutageError):
        await pool.run(os.getpid)


async def test_terminal_and_service_signals_do_not_reach_work_in_flight(pool: DecoderPool) -> None:
    pid = await pool.run(os.getpid)
    work = asyncio.create_task(pool.run(partial(_nap_and_pid, 0.3)))
    await asyncio.sleep(0.1)

    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)

    assert await work == pid
    assert os.getsid(pid) != os.getsid(0)


async def test_a_hundred_jobs_leak_neither_files_nor_processes(pool: DecoderPool) -> None:
    await asyncio.gather(pool.run(os.getpid), pool.run(os.getpid))
    process, children = psutil.Process(), _children()
    files = process.num_fds()
    inner = await pool.run(_open_files)

    for number in range(100):
        job = partial(os._exit, 1) if number % 25 == 0 else os.getpid
        await asyncio.gather(pool.run(job), return_exceptions=True)

    await asyncio.gather(pool.run(os.getpid), pool.run(os.getpid))
    assert len(_children()) == len(children)
    assert process.num_fds() <= files
    assert await pool.run(_open_files) <= inner


async def test_what_libraries_print_reaches_neither_terminal_nor_protocol(
    pool: DecoderPool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await pool.run(partial(os.write, 1, b"chatter\n" * 1000)) == 8000
    assert await pool.run(partial(os.write, 2, b"warning\n" * 1000)) == 8000
    await pool.run(os.getpid)

    said = capfd.readouterr()
    assert "chatter" not in said.out + said.err
    assert "warning" not in said.err


def test_a_pool_that_could_do_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="workers"):
        DecoderPool(0, time_limit_s=1, memory_limit_bytes=1)


@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
def test_children_die_with_a_killed_parent(tmp_path: Path, busy: bool) -> None:
    parent = _engine(
        tmp_path,
        f"""
        pid = await pool.run(os.getpid)
        print(pid, flush=True)
        await (pool.run(signal.pause) if {busy} else asyncio.sleep(60))
        """,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.is_running()

    parent.kill()
    parent.wait()

    psutil.wait_procs([child], timeout=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    parent.stdout.close()


def test_a_folder_named_core_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('the wrong core')")
    (tmp_path / "pickle.py").write_text("raise SystemExit('the wrong pickle')")
    parent = _engine(tmp_path, "print(await pool.run(partial(getattr, WarmUp(), '__doc__')))")

    out, _ = parent.communicate(timeout=30)

    assert "Import what pictures need" in out


def _engine(folder: Path, body: str) -> subprocess.Popen[str]:
    """A process of its own with a pool, started as a console script is: from its own folder."""
    script = folder / "bin" / "engine.py"
    script.parent.mkdir()
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, os, signal, sys
            sys.path.append({root!r})
            from functools import partial
            import structlog
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
            from core.media.children import DecoderPool
            from core.media.jobs import WarmUp

            async def main():
                async with DecoderPool(1, 60, 1 << 30) as pool:
            {body}

            asyncio.run(main())
            """
        ).format(root=str(ROOT), body=textwrap.indent(textwrap.dedent(body), " " * 8))
    )
    command = [sys.executable, str(script)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)


def _nap_and_pid(seconds: float) -> int:
    threading.Event().wait(seconds)
    return os.getpid()


def _meet(mine: Path, other: Path) -> int:
    """Returns once both sides have come, which takes two processes at once."""
    mine.touch()
    while not other.exists():
        threading.Event().wait(0.01)
    return os.getpid()


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _die_at_the_next_job() -> None:
    os.environ["DAMAGED"] = "1"


def _mortal() -> str:
    if os.environ.get("DAMAGED"):
        os._exit(9)
    return "alive"

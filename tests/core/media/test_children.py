"""The pool: a job's misfortune is its own."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

import core
from core.errors import DecoderDiedError, OutageError, UndecodableError
from core.media.children import DecoderPool
from core.media.limits import TimeLimit
from core.media.options import DecodeOptions
from core.media.requests import Job, extract_frames, probe_medium
from tests.core.media.conftest import HOSTILE, MEMORY_BYTES

ROOT = Path(__file__).parents[3]


def job(name: str, **arguments: Any) -> Job[Any]:
    """One of ``hostile_jobs``; what it answers is taken as it is."""
    return Job(name, lambda answer: answer, arguments)


PID, PAUSE = job("pid"), job("pause")


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def test_jobs_run_in_warm_children_outside_this_process(pool: DecoderPool) -> None:
    pids = [await pool.run(PID) for _ in range(5)]

    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()


async def test_as_many_jobs_run_at_once_as_there_are_workers(
    pool: DecoderPool, tmp_path: Path
) -> None:
    first = pool.run(job("meet", mine=str(tmp_path / "first"), other=str(tmp_path / "second")))
    second = pool.run(job("meet", mine=str(tmp_path / "second"), other=str(tmp_path / "first")))
    third = pool.run(PID)

    pids = await asyncio.gather(first, second, third)

    assert len(set(pids)) == 2


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (job("segfault"), "SIGSEGV"),
        (job("exit", code=3), "exit code 3"),
        (job("sys_exit", code=4), "exit code 4"),
        (job("signal", number=signal.SIGKILL), "killed"),
        (job("allocate", size=1 << 40), "1024 MiB of memory"),
        (job("hog"), "1024 MiB of memory"),
        (job("fail", number=errno.EAGAIN), "1024 MiB of memory"),
        (job("parse", text="x"), "ValueError: invalid literal"),
        (job("answer_a_function"), "cannot be sent"),
        (job("no such job"), "no such job"),
    ],
    ids=["segfault", "exit", "sys_exit", "kill", "huge", "hog", "threads", "bug", "answer", "name"],
)
async def test_a_bad_job_fails_alone(pool: DecoderPool, hostile: Job[Any], words: str) -> None:
    neighbour = asyncio.create_task(pool.run(job("nap", seconds=0.3)))

    with pytest.raises(DecoderDiedError, match=words):
        await pool.run(hostile)

    assert await neighbour > 0
    assert await pool.run(PID) > 0


async def test_a_job_over_its_time_is_killed(pool: DecoderPool) -> None:
    neighbour = asyncio.create_task(pool.run(job("nap", seconds=1.0)))

    with pytest.raises(DecoderDiedError, match=r"longer than 0\.3 s"):
        await pool.run(PAUSE, limit=TimeLimit(0.3))

    assert await neighbour in _children()
    assert await pool.run(PID) > 0


async def test_errors_of_the_tree_and_of_the_system_come_back_as_themselves(
    pool: DecoderPool,
) -> None:
    with pytest.raises(UndecodableError, match="no picture"):
        await pool.run(job("refuse", words="no picture"))
    with pytest.raises(FileNotFoundError):
        await pool.run(job("open", path="/no/such/file"))


async def test_a_child_sees_nothing_of_the_environment_that_it_does_not_need(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TAGGER_S3__SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "QDRANT_API_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "a secret")
    monkeypatch.setenv("LC_TIME", "C")

    seen = await pool.run(job("environment"))

    assert "a secret" not in seen.values()
    assert (seen["LC_TIME"], seen["PATH"]) == ("C", os.environ["PATH"])
    assert seen["OMP_NUM_THREADS"] == "1"


_FRAME = [0, 4, 4, 0, 0]


@pytest.mark.parametrize(
    "answer",
    [
        *(None, "text", [], {}, {"frames": []}),
        {"frames": [], "notes": [], "duration_ms": 0},
        {"frames": [_FRAME[:-1]], "notes": [], "duration_ms": 0},
        {"frames": [["../../1", *_FRAME[1:]]], "notes": [], "duration_ms": 0},
        {"frames": [[*_FRAME[:-1], -1]], "notes": [], "duration_ms": 0},
        {"frames": [[*_FRAME[:-1], True]], "notes": [], "duration_ms": 0},
        {"frames": [_FRAME], "notes": [7], "duration_ms": 0},
        {"frames": [_FRAME], "notes": [], "duration_ms": 1.5},
    ],
)
async def test_an_answer_of_no_sense_costs_the_child_its_life(
    pool: DecoderPool, tmp_path: Path, answer: object
) -> None:
    pid = await pool.run(PID)
    read = extract_frames(tmp_path / "a.jpg", "picture", tmp_path, DecodeOptions()).read

    with pytest.raises(DecoderDiedError, match="answered nonsense"):
        await pool.run(Job("echo", read, {"value": answer}))

    assert await pool.run(PID) != pid
    sane = {"frames": [_FRAME], "notes": ["small"], "duration_ms": 7}
    decoded = await pool.run(Job("echo", read, {"value": sane}))
    assert decoded.frames[0].path == tmp_path / "000000000.jpg"
    assert (decoded.notes, decoded.duration_ms) == (("small",), 7)


async def test_a_probe_of_no_sense_is_nonsense(pool: DecoderPool) -> None:
    read = probe_medium(Path("a.jpg"), "picture", DecodeOptions()).read

    with pytest.raises(DecoderDiedError, match="answered nonsense"):
        await pool.run(Job("echo", read, {"value": {"format": "JPEG", "width": "4", "height": 4}}))


async def test_a_decoder_cannot_stop_its_stage(pool: DecoderPool) -> None:
    with pytest.raises(DecoderDiedError, match=r"nonsense.*StageStopError"):
        await pool.run(job("stop"))


async def test_a_full_disk_is_an_outage(pool: DecoderPool) -> None:
    with pytest.raises(OutageError, match="No space left"):
        await pool.run(job("fill", path="/dev/full"))


async def test_a_child_that_takes_too_long_to_start_is_an_outage_in_words() -> None:
    async with DecoderPool(1, 60, MEMORY_BYTES, start_limit_s=0.001) as pool:
        with pytest.raises(OutageError, match=r"does not start: it was not ready within 0.001 s"):
            await pool.run(PID)


async def test_a_child_that_cannot_start_is_an_outage_with_its_last_words() -> None:
    async with DecoderPool(1, 60, MEMORY_BYTES, jobs="tests.core.media.no_jobs") as pool:
        with pytest.raises(OutageError, match=r"(?s)exit code 1.*No module named"):
            await pool.run(PID)


async def test_a_child_killed_while_idle_costs_no_job(pool: DecoderPool) -> None:
    victim = await pool.run(PID)
    os.kill(victim, signal.SIGKILL)

    assert await pool.run(PID) != victim


async def test_damage_left_by_an_earlier_job_is_not_blamed_on_the_next(pool: DecoderPool) -> None:
    await pool.run(job("die_at_the_next"))

    assert await pool.run(job("mortal")) == "alive"


async def test_a_cancelled_job_loses_its_child_and_frees_its_slot() -> None:
    async with DecoderPool(1, 60, MEMORY_BYTES, jobs=HOSTILE) as pool:
        pid = await pool.run(PID)
        task = asyncio.create_task(pool.run(PAUSE))
        await asyncio.sleep(0.1)
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert await pool.run(PID) != pid
        assert not psutil.pid_exists(pid)


async def test_closing_leaves_no_process_and_costs_running_jobs_no_attempt() -> None:
    before = _children()
    pool = DecoderPool(2, 60, MEMORY_BYTES, jobs=HOSTILE)
    running = [asyncio.create_task(pool.run(PAUSE)) for _ in range(3)]
    await asyncio.sleep(0.05)  # some are just being started

    await pool.close()

    assert _children() == before
    results = await asyncio.gather(*running, return_exceptions=True)
    assert [type(result) for result in results] == [OutageError] * 3
    with pytest.raises(OutageError):
        await pool.run(PID)


async def test_terminal_and_service_signals_do_not_reach_work_in_flight(pool: DecoderPool) -> None:
    pid = await pool.run(PID)
    work = asyncio.create_task(pool.run(job("nap", seconds=0.3)))
    await asyncio.sleep(0.1)

    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)

    assert await work == pid
    assert os.getsid(pid) != os.getsid(0)


async def test_a_hundred_jobs_leak_neither_files_nor_processes(pool: DecoderPool) -> None:
    await asyncio.gather(pool.run(PID), pool.run(PID))
    process, children = psutil.Process(), _children()
    files = process.num_fds()
    inner = await pool.run(job("open_files"))

    for number in range(100):
        each = job("exit", code=1) if number % 25 == 0 else PID
        await asyncio.gather(pool.run(each), return_exceptions=True)

    await asyncio.gather(pool.run(PID), pool.run(PID))
    assert len(_children()) == len(children)
    assert process.num_fds() <= files
    assert await pool.run(job("open_files")) <= inner


async def test_what_libraries_print_reaches_neither_terminal_nor_protocol(
    pool: DecoderPool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await pool.run(job("write", handle=1, text="chatter\n" * 1000)) == 8000
    assert await pool.run(job("write", handle=2, text="warning\n" * 1000)) == 8000
    await pool.run(PID)

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
        print(await pool.run(job("pid")), flush=True)
        await (pool.run(job("pause")) if {busy} else asyncio.sleep(60))
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
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    parent = _engine(tmp_path, "print(await pool.run(job('where')))")

    out, _ = parent.communicate(timeout=30)

    assert out.strip() == str(Path(core.__file__).parent)


def _engine(folder: Path, body: str) -> subprocess.Popen[str]:
    """A process of its own with a pool, started as a console script is: from its own folder."""
    script = folder / "bin" / "engine.py"
    script.parent.mkdir()
    script.write_text(
        textwrap.dedent(
            """
            import asyncio, sys
            sys.path.append({root!r})
            import structlog
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
            from core.media.children import DecoderPool
            from core.media.requests import Job

            def job(name):
                return Job(name, lambda answer: answer)

            async def main():
                async with DecoderPool(1, 60, 1 << 30, jobs={jobs!r}) as pool:
            {body}

            asyncio.run(main())
            """
        ).format(root=str(ROOT), jobs=HOSTILE, body=textwrap.indent(textwrap.dedent(body), " " * 8))
    )
    command = [sys.executable, str(script)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)

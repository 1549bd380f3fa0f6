"""No process of ours has threads that spin: libraries have one each, or theirs sleep."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from core.runtime.threads import ONE_THREAD, limit_threads
from tests.vision_standin import png

ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ONE_THREAD} | {
    "PYTHONPATH": os.pathsep.join(filter(None, sys.path))
}
PATIENCE_S = 120
STAGES = ("frames", "segment", "embed", "match", "index", "results")


@contextmanager
def tagger(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; its children end with it."""
    command = [sys.executable, "-m", "tests.infra.cli.threads_process", *map(str, arguments)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def until_all_slept(processes: Sequence[psutil.Process]) -> None:
    """Until each thread has been seen asleep, which one that spins never is."""
    awake = {task for one in processes for task in Path(f"/proc/{one.pid}/task").iterdir()}

    def asleep() -> bool:
        awake.difference_update([task for task in awake if _state(task) != "R"])
        return not awake

    until(asleep)


def _state(task: Path) -> str:
    """``R`` for a thread that is at work, or would be if it had a processor."""
    try:
        return (task / "stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return "gone"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("command", ["run", "consume"])
def test_libraries_have_one_thread_or_let_theirs_sleep(command: str, tmp_path: Path) -> None:
    watched, data = tmp_path / "watched", tmp_path / "data"
    watched.mkdir()
    (watched / "look.png").write_bytes(png("red", "green", "blue"))
    arguments = ("--watch", watched) if command == "run" else STAGES

    with tagger(command, *arguments, "--data-dir", data) as process:
        engine = psutil.Process(process.pid)
        if command == "run":
            until(lambda: any(data.rglob("results/*/*.json")))
        until(lambda: len(engine.children()) >= 2)
        children = engine.children()
        until_all_slept([engine, *children])
        environments = [child.environ() for child in children]
        process.send_signal(signal.SIGTERM)
        told = json.loads(process.communicate(timeout=PATIENCE_S)[0].splitlines()[-1])

    assert {pool: threads for pool, threads in told["pools"].items() if threads != 1} == {}
    assert set(told["onnx_spins"]) == {"0"}
    assert told["foreign"] <= sum(threads - 1 for threads in told["onnx_threads"])
    assert all(environment.items() >= ONE_THREAD.items() for environment in environments)


def test_what_the_operator_has_set_stays() -> None:
    environment = {"OMP_NUM_THREADS": "4"}

    limit_threads(environment)

    assert environment == {**ONE_THREAD, "OMP_NUM_THREADS": "4"}

"""A process under connections that never say what they want."""

from __future__ import annotations

import resource
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.process import ServerProcess, free_port, listens

FILES = 128
HALF_OPEN = 400


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A port of a process with few files, and where it counts its steps."""
    port, progress = free_port(), tmp_path / "progress"
    program = Path(__file__).with_name("standin_worker.py")
    process = ServerProcess(
        [sys.executable, str(program), str(port), str(FILES), str(progress)],
        tmp_path / "worker.log",
        ready=lambda: listens(port),
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
    )
    process.start()
    try:
        yield port, progress
    finally:
        process.kill()


@contextmanager
def flood(port: int) -> Iterator[None]:
    """Keeps up so many connections that have sent half a request line: for each that the server
    ends, there is another."""
    over = threading.Event()
    standing = threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            held: list[socket.socket] = []
            while not over.is_set():
                held = [one for one in held if not _ended(one)]
                while len(held) < HALF_OPEN and not over.is_set():
                    one = stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                    one.sendall(b"GET /healthz HT")
                    one.setblocking(False)
                    held.append(one)
                standing.set()
                over.wait(0.01)

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft > 4 * HALF_OPEN, "this test needs some files itself"
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert standing.wait(60)
        yield
    finally:
        over.set()
        thread.join()


def _ended(connection: socket.socket) -> bool:
    try:
        ended = connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        ended = True
    connection.close()
    return ended


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_a_process_answers_and_works_while_400_connections_stand_half_open(
    worker: tuple[int, Path],
) -> None:
    port, progress = worker

    with flood(port):
        answers = [healthy(port) for _ in range(5)]
        before = int(progress.read_text())
        deadline = time.monotonic() + 30
        while int(progress.read_text()) < before + 20 and time.monotonic() < deadline:
            time.sleep(0.05)
        after = int(progress.read_text())

    assert answers == [True] * 5
    assert after >= before + 20

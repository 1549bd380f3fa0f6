"""A server as a process of its own: started on a free loopback port, stopped by its process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_LOOK_AGAIN_S = 0.1
_STOP_S = 30.0
_TAIL = 3000


class ServerDiedError(RuntimeError):
    """The server ended, or was not ready in time; the message ends with what it printed."""


class ServerProcess:
    """May be started again after it was stopped or killed; its output goes into one file.

    Args:
        command: what to run.
        output: the file that gets its stdout and stderr.
        ready: whether it serves; asked until it does.
        env: variables beside our own.
    """

    def __init__(
        self,
        command: Sequence[str],
        output: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._output = output
        self._ready = ready
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self, patience_s: float = 60.0) -> None:
        """Returns once it serves; raises ServerDiedError."""
        self._output.parent.mkdir(parents=True, exist_ok=True)
        with self._output.open("ab") as output:
            # A session of its own: Ctrl-C in the tests' terminal is not for it.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._env,
                start_new_session=True,
            )
        deadline = time.monotonic() + patience_s
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                printed = self._output.read_text(errors="replace")[-_TAIL:]
                raise ServerDiedError(f"{self._command[0]} does not serve:\n{printed}")
            time.sleep(_LOOK_AGAIN_S)

    def stop(self) -> None:
        """Asks it to end, and insists after a while."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it as ``kill -9`` does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def freeze(self) -> None:
        """It keeps its port and answers nothing, until :meth:`thaw`."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # its threads may yet answer for a moment

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0

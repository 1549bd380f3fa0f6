"""The console script as a child process: started, watched, killed, and never left behind."""

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
from typing import Any

import psutil

import infra

_CHECKOUT = Path(__file__).parents[2]
_GONE_S = 20.0
_STOP_S = 60.0
_LOOK_EVERY_S = 0.01
_LAST_WORDS = 4000

QUICK = {"TAGGER_WATCH__SETTLE_S": "0.2", "TAGGER_WATCH__UNDECODABLE_AFTER_S": "0.5"}


class Run:
    """One life of ``tagger``."""

    def __init__(self, process: subprocess.Popen[bytes], words: Path) -> None:
        self.process = process
        self._words = words

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """The end of what it wrote, for a test's message."""
        return self._words.read_text(errors="replace")[-_LAST_WORDS:]

    def has_said(self, text: str) -> bool:
        return text in self._words.read_text(errors="replace")

    def last(self, event: str) -> dict[str, Any] | None:
        """The newest of its log lines about an event."""
        found = self.all(event)
        return found[-1] if found else None

    def all(self, event: str) -> list[dict[str, Any]]:
        """Its log lines about an event."""
        lines = self._words.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if f'"event": "{event}"' in line]

    def family(self) -> list[psutil.Process]:
        """The processes that it started, and theirs."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """As ``kill -9`` does; the processes that it had started must follow by themselves."""
        self.process.send_signal(signal.SIGKILL)
        self.ended(_GONE_S, -signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Asks for an ordered end, as a service manager or a terminal does, and expects one."""
        os.killpg(self.pid, number)
        self.ended(_STOP_S)

    def ended(self, within_s: float, code: int = 0) -> None:
        """Waits for an end with this exit code that leaves no process behind."""
        family = self.family()
        found = self.process.wait(within_s)
        assert found == code, f"tagger ended with {found}:\n{self.said()}"
        deadline = time.monotonic() + _GONE_S
        while living := [child for child in family if _lives(child)]:
            assert time.monotonic() < deadline, f"tagger ended, and these live on: {living}"
            time.sleep(_LOOK_EVERY_S)

    def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Whether the condition came to hold, in time and while the process lived."""
        deadline = time.monotonic() + within_s
        while self.alive and time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(_LOOK_EVERY_S)
        return False


class Tagger:
    """Starts ``tagger`` for one data folder.

    Args:
        folder: of the test; temporary files of the processes and what they say go there.
        settings: environment variables.
        program: what is started in place of ``tagger``.
    """

    def __init__(
        self,
        folder: Path,
        data: Path,
        settings: dict[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        self.data = data
        self._program = tuple(program) or _script()
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self._words = folder / "words"
        self._words.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if "TAGGER_" not in name}
        # The code that the tests import is the code that runs, installed or not; programs of the
        # tests themselves come from the checkout, behind it.
        source = os.pathsep.join(map(str, (Path(infra.__file__).parents[1], _CHECKOUT)))
        self._environment = kept | QUICK | (settings or {})
        self._environment |= {"TMPDIR": str(self.temporary), "PYTHONPATH": source}

    @contextmanager
    def running(self, *arguments: str) -> Iterator[Run]:
        """A run that is over on leaving, whatever happened."""
        words = self._words / f"{len(list(self._words.iterdir())):04d}.txt"
        with words.open("wb") as output:
            process = subprocess.Popen(
                [*self._program, *arguments, "--data-dir", str(self.data)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._environment,
                cwd=self.temporary,
                start_new_session=True,
            )
        run = Run(process, words)
        try:
            yield run
        finally:
            if run.alive:
                family = run.family()
                process.kill()
                process.wait(_GONE_S)
                for child in family:
                    if child.is_running():
                        child.kill()

    def finish(self, *arguments: str, within_s: float) -> None:
        """Runs to a good end."""
        with self.running(*arguments) as run:
            run.ended(within_s)

    def leftovers(self) -> list[str]:
        """Temporary files that lie about."""
        return sorted(path.name for path in self.temporary.iterdir())


def _lives(process: psutil.Process) -> bool:
    """A zombie does not: it waits for nothing but its parent's notice."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _script() -> tuple[str, ...]:
    installed = Path(sys.executable).with_name("tagger")
    if installed.exists():
        return (str(installed),)
    return (sys.executable, "-P", "-c", "from infra.cli import main; main()")

"""What a family of processes holds: memory, descriptors, threads, files for the moment."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

_AT_REST_S = 60.0
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Process:
    """Attributes:
    role: ``engine``, ``decoder`` or ``vectors``.
    memory: bytes that are this process's own and no file's. Pages of mapped files are not among
        them: they are the system's to take.
    """

    role: str
    pid: int
    memory: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """Attributes:
    media: how many had been dropped by then.
    scratch: files and folders for the moment.
    wal: bytes of the database's write-ahead log.
    """

    media: int
    processes: tuple[Process, ...]
    scratch: int
    wal: int

    def of(self, role: str) -> list[Process]:
        return [process for process in self.processes if process.role == role]


class Scene:
    """A running engine, its children and its files.

    Args:
        pid: of the engine.
        data: its data folder.
        temporary: where it makes other files.
    """

    def __init__(self, pid: int, data: Path, temporary: Path) -> None:
        self._engine = psutil.Process(pid)
        self._wal = data / "engine.db-wal"
        self._scratch = (data / "scratch", data / "blobs" / ".incoming", temporary)

    def at_rest(self, media: int) -> Footprint:
        """What is held when two looks in a row find the same but for memory; blocks."""
        deadline = time.monotonic() + _AT_REST_S
        before, now = None, self._look(media)
        while before is None or _without_memory(before) != _without_memory(now):
            assert time.monotonic() < deadline, f"never at rest: {before}, then {now}"
            time.sleep(_LOOK_AGAIN_S)
            before, now = now, self._look(media)
        return now

    def _look(self, media: int) -> Footprint:
        children = self._engine.children(recursive=True)
        return Footprint(
            media=media,
            processes=(
                _process(self._engine, "engine"),
                *(_process(c, _role(c)) for c in children),
            ),
            scratch=sum(len(list(folder.rglob("*"))) for folder in self._scratch),
            wal=self._wal.stat().st_size,
        )


def _without_memory(found: Footprint) -> Footprint:
    return replace(found, processes=tuple(replace(one, memory=0) for one in found.processes))


def _process(process: psutil.Process, role: str) -> Process:
    with process.oneshot():
        memory = sum(area.anonymous for area in process.memory_maps())
        return Process(role, process.pid, memory, process.num_fds(), process.num_threads())


def _role(process: psutil.Process) -> str:
    return "vectors" if "core.vectors" in " ".join(process.cmdline()) else "decoder"

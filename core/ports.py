"""What composition hands out: the three stores that every part of the engine is built on."""

from __future__ import annotations

from dataclasses import dataclass

from core.blobs.port import BlobStore
from core.log.port import EventLog
from core.state.port import StateStore


@dataclass(frozen=True, slots=True)
class Ports:
    """What needs no engine: log, state and blobs can be used beside a running one."""

    log: EventLog
    state: StateStore
    blobs: BlobStore

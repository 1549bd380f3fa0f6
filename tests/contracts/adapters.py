"""The adapters that every contract runs against; a new one is one more entry here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from core.database.database import SqliteDatabase
from core.log.kafka.log import KafkaEventLog, KafkaOptions
from core.log.port import EventLog
from core.log.sqlite.log import SqliteEventLog
from core.state.port import StateStore
from core.state.s3 import S3StateStore
from core.state.sqlite import SqliteStateStore
from tests.memory_broker import Broker, Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore
from tests.servers.kafka import kafka_bootstrap
from tests.servers.minio import minio_address
from tests.servers.s3 import connect, place_of
from tests.servers.seaweedfs import seaweedfs_address
from tests.servers.session import Address

OpenLog = Callable[[], Awaitable[EventLog]]
OpenState = Callable[[], Awaitable[StateStore]]


@dataclass(frozen=True)
class LogAdapter:
    """How a contract test gets at an event log.

    Attributes:
        at: gives, for an empty folder of the test, what opens one and the same log each time.
        shares: a group has many members that share the partitions; else a second is refused.
        cleans: ``maintain`` applies retention and compaction, at once.
        address: what another process opens the same log by, with ``open_address``; None if it
            lives in this process only.
    """

    name: str
    at: Callable[[Path], OpenLog]
    shares: bool
    cleans: bool
    address: Callable[[Path], str] | None = None


@dataclass(frozen=True)
class StateAdapter:
    """``at`` gives, for an empty folder, what opens one and the same store each time."""

    name: str
    at: Callable[[Path], OpenState]


def _sqlite_log(folder: Path) -> OpenLog:
    async def open_log() -> EventLog:
        return SqliteEventLog(SqliteDatabase(folder / "engine.db"))

    return open_log


def _memory_log(folder: Path) -> OpenLog:
    broker = Broker(seed=len(folder.name), chaos=Chaos(rebalance=0.1))

    async def open_log() -> EventLog:
        return MemoryEventLog(broker=broker)

    return open_log


def _kafka_log(folder: Path) -> OpenLog:
    return _open_kafka(kafka_bootstrap(), f"{place_of(folder)}.")


def _open_kafka(bootstrap: str, prefix: str) -> OpenLog:
    options = KafkaOptions(bootstrap, "tests", prefix, session_timeout_s=6, rebalance_timeout_s=10)

    async def open_log() -> EventLog:
        return await KafkaEventLog.open(options)

    return open_log


def _kafka_address(folder: Path) -> str:
    return f"kafka:{kafka_bootstrap()}/{place_of(folder)}."


def _sqlite_state(folder: Path) -> OpenState:
    async def open_state() -> StateStore:
        return SqliteStateStore(SqliteDatabase(folder / "engine.db"))

    return open_state


def _memory_state(folder: Path) -> OpenState:
    values: dict[str, bytes] = {}

    async def open_state() -> StateStore:
        return MemoryStateStore(values)

    return open_state


def _s3_state(server: Callable[[], Address]) -> Callable[[Path], OpenState]:
    def at(folder: Path) -> OpenState:
        async def open_state() -> StateStore:
            connection = connect(server())
            await connection.ensure_bucket("test-state")
            return _ConnectedStateStore(connection, "test-state", f"{place_of(folder)}/")

        return open_state

    return at


class _ConnectedStateStore(S3StateStore):
    """Closes its connection, which nobody else has."""

    async def close(self) -> None:
        await super().close()
        await self._connection.close()


LOGS = [
    LogAdapter("sqlite", _sqlite_log, shares=False, cleans=True, address="sqlite:{}".format),
    LogAdapter("memory", _memory_log, shares=True, cleans=True),
    LogAdapter("kafka", _kafka_log, shares=True, cleans=False, address=_kafka_address),
]
STATES = [
    StateAdapter("sqlite", _sqlite_state),
    StateAdapter("memory", _memory_state),
    StateAdapter("minio", _s3_state(minio_address)),
    StateAdapter("seaweedfs", _s3_state(seaweedfs_address)),
]


async def open_address(address: str) -> EventLog:
    """The log that another process told us of."""
    kind, _, place = address.partition(":")
    if kind == "sqlite":
        return await _sqlite_log(Path(place))()
    if kind == "kafka":
        bootstrap, _, prefix = place.partition("/")
        return await _open_kafka(bootstrap, prefix)()
    raise ValueError(address)

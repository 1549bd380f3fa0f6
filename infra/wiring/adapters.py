"""Which adapter stands behind each port: chosen here and nowhere else, from settings alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.blobs.folder import FolderBlobStore
from core.blobs.port import BlobStore
from core.database.database import SqliteDatabase
from core.errors import OutageError, SettingsError
from core.files.private import close_to_others
from core.files.scratch import Scratch
from core.files.space import shortage
from core.log.port import EventLog
from core.log.sqlite.log import SqliteEventLog
from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.options import DecodeOptions
from core.ports import Ports
from core.settings import Settings
from core.state.port import StateStore
from core.state.sqlite import SqliteStateStore
from core.vectors.port import VectorStore
from infra.contract.topics import embedded_topics

if TYPE_CHECKING:  # imported where they are used, since most runs have no servers
    from core.log.kafka.log import KafkaEventLog
    from core.s3 import S3Connection

_IN_DATA_FOLDER = ("engine.db*", "engine.lock", "blobs", "vectors", "scratch", "wake", "locks")


@dataclass(frozen=True, slots=True)
class Choice:
    """An adapter, and the setting that chose it."""

    port: str
    adapter: str
    setting: str


@dataclass(frozen=True, slots=True)
class ServingCatalog:
    """The collection that items are matched against, and whose vectors it holds; None if none
    is."""

    collection: str | None
    embedder: str | None


def choices(settings: Settings) -> list[Choice]:
    """What the functions below pick, for people to read at start-up."""
    folder, kafka, s3, qdrant = settings.data_dir, settings.kafka, settings.s3, settings.qdrant
    database = f"SQLite, {folder / 'engine.db'}"
    chosen = [
        Choice("event log", f"Kafka, {kafka.bootstrap_servers}", "KAFKA_BOOTSTRAP_SERVERS")
        if kafka.bootstrap_servers
        else Choice("event log", database, "TAGGER_DATA_DIR")
    ]
    if s3.endpoint:
        chosen += [Choice("state, blobs", f"S3, {s3.bucket} at {s3.endpoint}", "S3_ENDPOINT")]
    else:
        chosen += [
            Choice("state", database, "TAGGER_DATA_DIR"),
            Choice("blobs", f"folder, {folder / 'blobs'}", "TAGGER_DATA_DIR"),
        ]
    chosen += [
        Choice("vectors", f"Qdrant, {qdrant.url}", "QDRANT_URL")
        if qdrant.url
        else Choice("vectors", f"Qdrant Edge, {folder / 'vectors'}", "TAGGER_DATA_DIR"),
        Choice("decoding", f"{settings.media.workers} child processes", "TAGGER_MEDIA__WORKERS"),
        Choice("vision", f"{settings.vision.profile} profile", "TAGGER_VISION__PROFILE"),
        Choice("device", settings.vision.device, "TAGGER_VISION__DEVICE"),
        Choice("catalog", settings.catalog, "TAGGER_CATALOG"),
    ]
    return chosen


def refuse_split(settings: Settings, part: bool = False) -> None:
    """Processes that share the log share state and blobs, too, or each would know a half.

    Args:
        part: this process does some of the work, and others the rest; a whole engine on the log
            of its data folder may keep state anywhere.

    Raises:
        SettingsError: they do not, and no setting says that this data folder is the only one.
    """
    kafka, s3 = bool(settings.kafka.bootstrap_servers), bool(settings.s3.endpoint)
    if settings.alone or kafka == s3 or (s3 and not part):
        return
    given, missing, kept = (
        ("KAFKA_BOOTSTRAP_SERVERS", "S3_ENDPOINT", "state and blobs")
        if kafka
        else ("S3_ENDPOINT", "KAFKA_BOOTSTRAP_SERVERS", "an event log")
    )
    raise SettingsError(
        f"{given} is set and {missing} is not, so each data folder would keep {kept} of its own:"
        f" set {missing}, too, or TAGGER_ALONE=true if {settings.data_dir} is the only data folder"
    )


def data_folder(settings: Settings) -> Path:
    """Where it is, and shut to others if it is there and ours."""
    folder = settings.data_dir.absolute()
    close_to_others(folder, _IN_DATA_FOLDER)
    return folder


@asynccontextmanager
async def open_ports(settings: Settings, role: str = "tagger") -> AsyncIterator[Ports]:
    """Opens log, state and blobs. The embedded log gets its topics; on a cluster they are made by
    ``tagger topics create``.

    Args:
        role: what this process is, for the brokers' own logs and quotas.

    Raises:
        SettingsError: they are split, see :func:`refuse_split`.
    """
    refuse_split(settings)
    folder = data_folder(settings)
    async with AsyncExitStack() as stack:
        database: SqliteDatabase | None = None
        if not (settings.kafka.bootstrap_servers and settings.s3.endpoint):
            database = SqliteDatabase(folder / "engine.db")
        log = await _open_log(settings, database, role, stack)
        state, blobs = await _open_stores(settings, database, folder, stack)
        yield Ports(log, state, blobs)


@asynccontextmanager
async def open_log(settings: Settings, role: str = "tagger") -> AsyncIterator[EventLog]:
    """The event log alone, for who needs neither state nor blobs."""
    async with AsyncExitStack() as stack:
        database = None
        if not settings.kafka.bootstrap_servers:
            database = SqliteDatabase(data_folder(settings) / "engine.db")
        yield await _open_log(settings, database, role, stack)


@asynccontextmanager
async def open_reading(
    settings: Settings, role: str = "tagger"
) -> AsyncIterator[tuple[EventLog, BlobStore | None]]:
    """The event log for a subscriber, and the store of data that is too large for it; None where
    the log is Kafka's and no S3 server is named."""
    kafka, s3 = settings.kafka.bootstrap_servers, settings.s3.endpoint
    if kafka and not s3:
        async with open_log(settings, role) as log:
            yield log, None
    else:
        async with open_ports(settings, role) as ports:
            yield ports.log, ports.blobs


async def replication_factors(log: EventLog) -> dict[str, int]:
    """How many copies a cluster has of each topic; none where the log is a file."""
    kafka = _kafka(log)
    described = await kafka.described() if kafka is not None else {}
    return {name: topic.replicas for name, topic in described.items()}


async def forgotten_after_s(log: EventLog) -> float | None:
    """After how many seconds without a process a stage starts over; None for never, or where the
    brokers do not tell us."""
    kafka = _kafka(log)
    try:
        return await kafka.forgotten_after_s() if kafka is not None else None
    except SettingsError:
        return None


def _kafka(log: EventLog) -> KafkaEventLog | None:
    if isinstance(log, SqliteEventLog):
        return None
    from core.log.kafka.log import KafkaEventLog

    assert isinstance(log, KafkaEventLog)
    return log


async def _open_log(
    settings: Settings, database: SqliteDatabase | None, role: str, stack: AsyncExitStack
) -> EventLog:
    kafka = settings.kafka
    if kafka.bootstrap_servers:
        from core.log.kafka.log import KafkaEventLog, KafkaOptions

        options = KafkaOptions(
            **kafka.model_dump(exclude={"sasl_password"}),
            sasl_password=kafka.sasl_password.get_secret_value(),
            client=f"{role}@{socket.gethostname()}",
        )
        cluster = await KafkaEventLog.open(options)
        stack.push_async_callback(cluster.close)
        return cluster
    assert database is not None
    log = SqliteEventLog(database)
    stack.push_async_callback(log.close)
    await log.create_topics(embedded_topics(settings.runtime.partitions))
    return log


async def _open_stores(
    settings: Settings, database: SqliteDatabase | None, folder: Path, stack: AsyncExitStack
) -> tuple[StateStore, BlobStore]:
    if settings.s3.endpoint:
        from core.blobs.s3 import S3BlobStore
        from core.state.s3 import S3StateStore

        connection = open_s3(settings)
        stack.push_async_callback(connection.close)
        bucket = settings.s3.bucket
        scratch = stack.enter_context(open_scratch(settings))
        blobs: BlobStore = await S3BlobStore.open(connection, bucket, scratch)
        return S3StateStore(connection, bucket), blobs
    assert database is not None
    state = SqliteStateStore(database)
    stack.push_async_callback(state.close)
    local = await FolderBlobStore.open(folder / "blobs")
    stack.push_async_callback(local.close)
    return state, local


def open_s3(settings: Settings) -> S3Connection:
    """A connection to the S3 server that the settings name.

    Raises:
        SettingsError: they name none.
    """
    from core.s3 import S3Connection, S3Options

    s3 = settings.s3
    if not s3.endpoint:
        raise SettingsError("no S3 server is named: set S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY")
    secret = s3.secret_key.get_secret_value()
    return S3Connection(S3Options(s3.endpoint, s3.access_key, secret, s3.region))


@asynccontextmanager
async def open_vectors(settings: Settings) -> AsyncIterator[VectorStore]:
    """Opens the vector engine; the one in the data folder raises BusyError where another process
    has it."""
    store: VectorStore
    if settings.qdrant.url:
        from core.vectors.server.store import QdrantVectorStore

        qdrant = settings.qdrant
        store = await QdrantVectorStore.open(
            qdrant.url, qdrant.api_key.get_secret_value(), qdrant.timeout_s
        )
    else:
        from core.vectors.edge.store import EdgeVectorStore  # a native engine: not for `--help`

        store = await EdgeVectorStore.open(data_folder(settings) / "vectors")
    try:
        yield store
    finally:
        await store.close()


async def serving_catalog(settings: Settings) -> ServingCatalog:
    """What the catalog's pointer says; opens no engine, so also beside one."""
    if settings.qdrant.url:
        async with open_vectors(settings) as vectors:
            name = await vectors.serving(settings.catalog)
            held = {each.name: each.embedder for each in (await vectors.collections()).values()}
    else:
        from core.vectors.edge.engine import look

        folder = settings.data_dir.absolute() / "vectors"
        serving, collections = await asyncio.to_thread(look, folder)
        name = serving.get(settings.catalog)
        held = {each: spec.embedder for each, spec in collections.items()}
    return ServingCatalog(name, held.get(name) if name is not None else None)


@asynccontextmanager
async def open_decoder(settings: Settings) -> AsyncIterator[Decoder]:
    """Child processes for untrusted media; they start with the first medium. What they write
    lies in the data folder, where the next start finds what a crash left."""
    media = settings.media
    with open_scratch(settings) as scratch:
        limits = media.workers, media.time_limit_s, media.memory_limit_mb << 20
        async with DecoderPool(*limits) as pool:
            yield Decoder(pool, decode_options(settings), scratch)


@contextmanager
def open_scratch(settings: Settings) -> Iterator[Scratch]:
    """Room for files of the moment in the data folder; raises OutageError."""
    try:
        scratch = Scratch(data_folder(settings) / "scratch")
    except OSError as error:
        lacks = shortage(settings.data_dir)
        raise OutageError(f"the data folder cannot be written: {error}{lacks}") from error
    try:
        yield scratch
    finally:
        scratch.close()


def decode_options(settings: Settings) -> DecodeOptions:
    media = settings.media
    return DecodeOptions(
        max_side=media.max_side,
        pick=media.key_frame,
        threshold=media.scene_threshold,
        max_pixels=media.max_pixels,
        max_video_pixels=media.max_video_pixels,
        max_duration_s=media.max_duration_s,
        video_time_limit_s=media.time_limit_s,
    )

"""Composition: the only place that picks adapters and builds stages, from settings alone."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from consumers.embed import EmbedStage
from consumers.frames import FramesStage
from consumers.index import IndexStage
from consumers.match import MatchStage
from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from consumers.segment import SegmentStage, segment_version
from core.blobs.folder import FolderBlobStore
from core.blobs.port import BlobStore
from core.errors import OutageError, SettingsError
from core.events import TOPICS, MediaTagged
from core.ids import pipeline_id
from core.log.database import SqliteDatabase
from core.log.port import EventLog, TopicSpec
from core.log.sqlite import SqliteEventLog
from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.options import DecodeOptions
from core.parts import PartStore
from core.scratch import Scratch
from core.settings import Settings
from core.stage import Stage
from core.state.port import StateStore
from core.state.sqlite import SqliteStateStore
from core.vectors.port import VectorStore
from core.vision.port import Detector, Embedder, Segmenter

UPSTREAM = ("frames", "segment", "embed", "match", "index")
"""Stages whose backlog explains why a medium makes no progress."""

_STAGES: tuple[type[Stage], ...] = (
    FramesStage,
    SegmentStage,
    EmbedStage,
    MatchStage,
    IndexStage,
    ResultsStage,
)
READS = {stage.name: tuple(model.topic for model in stage.reads) for stage in _STAGES}
"""Stage name, which is also its consumer group, to the topics it reads; in pipeline order."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What needs no engine: log, state and blobs can be used beside a running one."""

    log: EventLog
    state: StateStore
    blobs: BlobStore


@dataclass(frozen=True, slots=True)
class Vision:
    """The three models of a profile."""

    detector: Detector
    segmenter: Segmenter
    embedder: Embedder


@dataclass(frozen=True, slots=True)
class VisionFacts:
    """A profile without its models; ``limits`` are sentences for its users."""

    profile: str
    embedder: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VectorFacts:
    """The collection that serves the catalog, and whose vectors it holds; None if none does."""

    serving: str | None
    embedder: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """An adapter, and the setting that chose it."""

    port: str
    adapter: str
    setting: str


def choices(settings: Settings) -> list[Choice]:
    """What the functions below pick, for people to read at start-up."""
    folder = settings.data_dir
    return [
        Choice("event log, state", f"SQLite, {folder / 'engine.db'}", "TAGGER_DATA_DIR"),
        Choice("blobs", f"folder, {folder / 'blobs'}", "TAGGER_DATA_DIR"),
        Choice("vectors", f"Qdrant Edge, {folder / 'vectors'}", "TAGGER_DATA_DIR"),
        Choice("decoding", f"{settings.media.workers} child processes", "TAGGER_MEDIA__WORKERS"),
        Choice("vision", f"{settings.vision.profile} profile", "TAGGER_VISION__PROFILE"),
        Choice("catalog", settings.catalog, "TAGGER_CATALOG"),
    ]


@asynccontextmanager
async def open_ports(settings: Settings) -> AsyncIterator[Ports]:
    """Opens the data folder's log, state and blobs, and makes the topics."""
    folder = settings.data_dir.absolute()
    async with AsyncExitStack() as stack:
        database = SqliteDatabase(folder / "engine.db")
        log = SqliteEventLog(database)
        stack.push_async_callback(log.close)
        state = SqliteStateStore(database)
        stack.push_async_callback(state.close)
        blobs = await FolderBlobStore.open(folder / "blobs")
        stack.push_async_callback(blobs.close)
        await log.create_topics(topic_specs(settings.runtime.partitions))
        yield Ports(log, state, blobs)


@asynccontextmanager
async def open_vectors(settings: Settings) -> AsyncIterator[VectorStore]:
    """Opens the vector engine; raises BusyError where another process has it."""
    from core.vectors.edge import EdgeVectorStore  # a native engine: not for `--help`

    vectors = await EdgeVectorStore.open(settings.data_dir.absolute() / "vectors")
    try:
        yield vectors
    finally:
        await vectors.close()


@asynccontextmanager
async def open_decoder(settings: Settings) -> AsyncIterator[Decoder]:
    """Child processes for untrusted media; they start with the first medium. What they write
    lies in the data folder, where the next start finds what a crash left."""
    media = settings.media
    try:
        scratch = Scratch(settings.data_dir.absolute() / "scratch")
    except OSError as error:
        raise OutageError(f"the data folder cannot be written: {error}") from error
    try:
        limits = media.workers, media.time_limit_s, media.memory_limit_mb << 20
        async with DecoderPool(*limits) as pool:
            yield Decoder(pool, decode_options(settings), scratch)
    finally:
        scratch.close()


def load_vision(settings: Settings) -> Vision:
    """Loads the profile's models; takes a moment.

    Raises:
        SettingsError: its weights are missing or damaged.
    """
    from core.vision.lite.profile import load_lite

    try:
        return Vision(*load_lite(settings.vision.threads or os.cpu_count() or 1))
    except (OSError, ValueError) as error:
        raise _not_loaded(settings, error) from error


def vision_facts(settings: Settings) -> VisionFacts:
    """What the profile is and cannot do; loads no model.

    Raises:
        SettingsError: its weights are missing or damaged.
    """
    from core.vision.lite.card import LIMITS, digest, shipped_card, shipped_weights

    try:
        card = shipped_card()
        if digest(shipped_weights()) != card.sha256:
            raise ValueError("its weights are damaged")
    except (OSError, ValueError) as error:
        raise _not_loaded(settings, error) from error
    return VisionFacts(settings.vision.profile, card.version, LIMITS)


def _not_loaded(settings: Settings, error: Exception) -> SettingsError:
    profile = settings.vision.profile
    return SettingsError(
        f"the vision profile {profile} cannot be loaded: {error}; install it again"
    )


def vector_facts(settings: Settings) -> VectorFacts:
    """What the catalog's pointer says; asks nobody, so also beside an engine."""
    from core.vectors.edge_engine import look

    serving, collections = look(settings.data_dir.absolute() / "vectors")
    name = serving.get(settings.catalog)
    return VectorFacts(name, collections[name].embedder if name in collections else None)


def topic_specs(partitions: int) -> list[TopicSpec]:
    """Every topic; ``media.tagged`` keeps each medium's newest result only."""
    return [TopicSpec(name, partitions, compacted=name == MediaTagged.topic) for name in TOPICS]


def decode_options(settings: Settings) -> DecodeOptions:
    media = settings.media
    return DecodeOptions(
        max_side=media.max_side,
        pick=media.key_frame,
        threshold=media.scene_threshold,
        max_pixels=media.max_pixels,
        max_duration_s=media.max_duration_s,
        video_time_limit_s=media.time_limit_s,
    )


def build_stages(
    settings: Settings, ports: Ports, vectors: VectorStore, decoder: Decoder, vision: Vision
) -> list[Stage]:
    """All stages of the engine, in pipeline order."""
    embedder, batch = vision.embedder, settings.vision
    pipeline = pipeline_id(
        {
            "frames": decoder.version,
            "segment": segment_version(
                vision.detector, vision.segmenter, settings.prompt, settings.masking
            ),
            "embed": embedder.version,
        }
    )
    parts = PartStore(ports.state)
    within, across, in_catalog = embedder.duplicate_thresholds
    match = settings.match
    return [
        FramesStage(ports.blobs, ports.state, decoder, pipeline),
        SegmentStage(
            ports.blobs,
            vision.detector,
            vision.segmenter,
            settings.prompt,
            settings.masking,
            batch.batch_size,
            batch.batch_wait_s,
        ),
        EmbedStage(ports.blobs, embedder, batch.batch_size, batch.batch_wait_s),
        MatchStage(
            vectors, settings.catalog, match.top_k, _or(match.min_score, embedder.match_threshold)
        ),
        IndexStage(
            vectors, settings.catalog, embedder.dim, _or(match.duplicate_catalog, in_catalog)
        ),
        ResultsStage(
            parts,
            ResultWriter(parts, ports.blobs, vectors),
            Thresholds(_or(match.duplicate_within, within), _or(match.duplicate_across, across)),
            backlog(ports.log),
            ResultsOptions(partial_after_s=settings.runtime.partial_after_s),
        ),
    ]


def backlog(log: EventLog) -> Callable[[], Awaitable[bool]]:
    """Whether any stage before ``results`` has work waiting."""

    async def lagging() -> bool:
        for group in UPSTREAM:
            if any((await log.lag(group, READS[group])).values()):
                return True
        return False

    return lagging


def _or(value: float | None, default: float) -> float:
    return default if value is None else value

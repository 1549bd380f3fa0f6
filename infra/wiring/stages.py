"""Composition of stages: what each is made of, from settings alone."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from consumers.embed import EmbedStage
from consumers.frames import FramesStage
from consumers.index import IndexStage
from consumers.match import MatchStage
from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from consumers.segment import SegmentStage, segment_version
from core.errors import SettingsError
from core.ids import pipeline_id
from core.log.port import EventLog
from core.media.decode import Decoder
from core.ports import Ports
from core.results.parts import PartStore
from core.runtime.stage import Stage
from core.settings import Settings
from core.vectors.port import VectorStore
from core.vision.port import Detector, Embedder, Segmenter
from infra.wiring.adapters import decode_options

T = TypeVar("T")

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

DECODES = frozenset({"frames"})
SEES = frozenset({"segment", "embed"})
SEARCHES = frozenset({"match", "index", "results"})
"""Stages that need a decoder, a device, the vector store."""


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
class Materials:
    """What stages are made of.

    Attributes:
        vision: not loaded yet, so that a host without its device knows the versions, too.
        vectors: None where no chosen stage searches.
        decoder: None where no chosen stage decodes.
    """

    settings: Settings
    ports: Ports
    vision: Vision
    vectors: VectorStore | None = None
    decoder: Decoder | None = None


def choose_vision(settings: Settings) -> Vision:
    """The profile's models, to be loaded by the stages that run them.

    Raises:
        SettingsError: its weights are missing or damaged.
    """
    from core.vision.lite.profile import lite_profile

    vision = settings.vision
    try:
        return Vision(*lite_profile(vision.threads or os.cpu_count() or 1, vision.device))
    except (OSError, ValueError) as error:
        raise _not_loaded(settings, error) from error


def vision_facts(settings: Settings) -> VisionFacts:
    """What the profile is and cannot do.

    Raises:
        SettingsError: its weights are missing or damaged.
    """
    from core.vision.lite.card import LIMITS

    embedder = choose_vision(settings).embedder.version
    return VisionFacts(settings.vision.profile, embedder, LIMITS)


def _not_loaded(settings: Settings, error: Exception) -> SettingsError:
    profile = settings.vision.profile
    return SettingsError(
        f"the vision profile {profile} cannot be loaded: {error}; install it again"
    )


def pipeline(settings: Settings, vision: Vision) -> str:
    """The id of everything that decides what comes out of a medium."""
    return pipeline_id(
        {
            "frames": decode_options(settings).version,
            "segment": segment_version(
                vision.detector, vision.segmenter, settings.prompt, settings.masking
            ),
            "embed": vision.embedder.version,
        }
    )


def build_stages(materials: Materials, names: Sequence[str] = tuple(READS)) -> list[Stage]:
    """These stages, in pipeline order.

    Raises:
        SettingsError: there is no stage of a name.
    """
    if unknown := [name for name in names if name not in READS]:
        raise SettingsError(f"there is no stage {unknown[0]!r}: there are {', '.join(READS)}")
    return [_MAKERS[name](materials) for name in READS if name in names]


def _frames(materials: Materials) -> Stage:
    ports, version = materials.ports, pipeline(materials.settings, materials.vision)
    return FramesStage(ports.blobs, ports.state, _given(materials.decoder), version)


def _segment(materials: Materials) -> Stage:
    settings, vision = materials.settings, materials.vision
    return SegmentStage(
        materials.ports.blobs,
        vision.detector,
        vision.segmenter,
        settings.prompt,
        settings.masking,
        settings.vision.batch_size,
        settings.vision.batch_wait_s,
    )


def _embed(materials: Materials) -> Stage:
    batch = materials.settings.vision
    return EmbedStage(
        materials.ports.blobs, materials.vision.embedder, batch.batch_size, batch.batch_wait_s
    )


def _match(materials: Materials) -> Stage:
    match = materials.settings.match
    least = _or(match.min_score, materials.vision.embedder.match_threshold)
    return MatchStage(_given(materials.vectors), materials.settings.catalog, match.top_k, least)


def _index(materials: Materials) -> Stage:
    embedder = materials.vision.embedder
    _, _, in_catalog = embedder.duplicate_thresholds
    threshold = _or(materials.settings.match.duplicate_catalog, in_catalog)
    return IndexStage(
        _given(materials.vectors), materials.settings.catalog, embedder.dim, threshold
    )


def _results(materials: Materials) -> Stage:
    match, ports = materials.settings.match, materials.ports
    within, across, _ = materials.vision.embedder.duplicate_thresholds
    known = PartStore(ports.state)
    return ResultsStage(
        known,
        ResultWriter(known, ports.blobs, _given(materials.vectors)),
        Thresholds(_or(match.duplicate_within, within), _or(match.duplicate_across, across)),
        backlog(ports.log),
        ResultsOptions(
            concurrency=materials.settings.runtime.concurrency,
            partial_after_s=materials.settings.runtime.partial_after_s,
        ),
    )


_MAKERS: dict[str, Callable[[Materials], Stage]] = {
    "frames": _frames,
    "segment": _segment,
    "embed": _embed,
    "match": _match,
    "index": _index,
    "results": _results,
}


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


def _given(part: T | None) -> T:
    assert part is not None, "a stage was built without what it is made of"
    return part

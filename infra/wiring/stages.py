"""The stages that there are, and what each is made of, from settings alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from consumers.embed import EmbedStage
from consumers.frames import FramesStage
from consumers.index import IndexStage
from consumers.match import MatchStage
from consumers.results.fold import Thresholds
from consumers.results.stage import ResultsOptions, ResultsStage
from consumers.results.write import ResultWriter
from consumers.segment import SegmentStage, segment_version
from core.paths import path
from core.results.parts import PartStore
from core.runtime.runner import RunnerOptions
from core.runtime.stage import Stage
from core.settings import Settings
from core.vision.port import Profile
from infra.wiring.adapters import decode_options
from infra.wiring.recipes import Materials, Recipe, Recipes, lagging, runner_options

T = TypeVar("T")

_BATCHES = 3


def pipeline(settings: Settings, vision: Profile) -> str:
    """The path of everything that decides what comes out of a medium."""
    segmenting = segment_version(
        vision.detector, vision.segmenter, settings.prompt, settings.masking
    )
    return path([decode_options(settings).version, segmenting, vision.embedder.version])


def _frames(materials: Materials) -> Stage:
    ports, settings = materials.ports, materials.settings
    return FramesStage(
        ports.blobs,
        ports.state,
        _given(materials.decoder),
        decode_options(settings).version,
        pipeline(settings, materials.vision),
    )


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
    default = embedder.duplicate_thresholds.catalog
    threshold = _or(materials.settings.match.duplicate_catalog, default)
    return IndexStage(
        _given(materials.vectors), materials.settings.catalog, embedder.dim, threshold
    )


def _results(materials: Materials) -> Stage:
    match, ports = materials.settings.match, materials.ports
    embedder = materials.vision.embedder
    default = embedder.duplicate_thresholds
    known = PartStore(ports.state)
    return ResultsStage(
        known,
        ResultWriter(
            known, ports.blobs, _given(materials.vectors), {embedder.version: embedder.dim}
        ),
        Thresholds(
            _or(match.duplicate_within, default.within), _or(match.duplicate_across, default.across)
        ),
        lagging(ports.log, materials.recipes.upstream(ResultsStage)),
        ResultsOptions(
            concurrency=materials.settings.runtime.concurrency,
            partial_after_s=materials.settings.runtime.partial_after_s,
        ),
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _given(part: T | None) -> T:
    assert part is not None, "a stage was built without what it is made of"
    return part


def _batched(settings: Settings) -> RunnerOptions:
    """Room for three batches: one on the device, one that is loaded, one that is stored."""
    options = runner_options(settings)
    lanes = max(options.concurrency, _BATCHES * settings.vision.batch_size)
    return replace(options, concurrency=lanes, max_in_flight=max(options.max_in_flight, lanes))


def _load_finders(vision: Profile) -> None:
    vision.detector.load()
    vision.segmenter.load()


def _load_embedder(vision: Profile) -> None:
    vision.embedder.load()


RECIPES = Recipes(
    Recipe(FramesStage, _frames, frozenset({"decoder"})),
    Recipe(SegmentStage, _segment, frozenset({"device"}), _load_finders, _batched),
    Recipe(EmbedStage, _embed, frozenset({"device"}), _load_embedder, _batched),
    Recipe(MatchStage, _match, frozenset({"vectors"})),
    Recipe(IndexStage, _index, frozenset({"vectors"})),
    Recipe(ResultsStage, _results, frozenset({"vectors"})),
)
"""The engine's stages: another one is a recipe more here, and a file in ``consumers``."""

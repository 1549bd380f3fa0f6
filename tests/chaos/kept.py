"""What a data folder, or a cluster, holds once nobody works on it."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from consumers.embed import EmbedStage
from consumers.frames import FramesStage
from consumers.index import IndexStage
from consumers.match import MatchStage
from consumers.results.stage import ResultsStage
from consumers.segment import SegmentStage
from core.envelope import Event, decode
from core.events import Data, MediaTagged, MediaUploaded
from core.ports import Ports
from core.results.keys import result_key
from core.results.parts import PartStore
from core.runtime.deadletters import Letter, letters
from core.settings import Settings
from core.vectors.port import VectorStore
from infra.wiring.adapters import open_ports, open_vectors

_STAGES = (FramesStage, SegmentStage, EmbedStage, MatchStage, IndexStage, ResultsStage)
_UNLIKE = frozenset({"revision", "cached"})
_CLOSE = 1e-4

D = TypeVar("D", bound=Data)


@dataclass(frozen=True, slots=True)
class Kept:
    """Attributes:
    results: newest result by media id.
    uploads: announcements by root.
    tagged: every ``media.tagged`` in the log, repeats included.
    waiting: events that a stage has not committed, by stage.
    marks: keys of open media, of running stages and of attempts.
    points: ids of a collection's points, by collection.
    """

    results: dict[str, MediaTagged]
    uploads: dict[str, MediaUploaded]
    tagged: list[Event[MediaTagged]]
    letters: list[Letter]
    waiting: dict[str, int]
    marks: list[str]
    points: dict[str, list[str]]

    @property
    def queries(self) -> dict[str, MediaTagged]:
        return {media: one for media, one in self.results.items() if one.product is None}

    def item_points(self) -> Counter[str]:
        """Points of the collection of media items."""
        return Counter(
            point
            for name, ids in self.points.items()
            if name.startswith("media_items__")
            for point in ids
        )

    def catalog_points(self) -> Counter[str]:
        return Counter(
            point
            for name, ids in self.points.items()
            if not name.startswith("media_items__")
            for point in ids
        )


async def read(settings: Settings) -> Kept:
    """Everything of interest; a data folder must not have an engine."""
    async with open_ports(settings) as ports, open_vectors(settings) as vectors:
        return Kept(
            results=await _results(ports),
            uploads={event.id: event.data for event in await _events(ports, MediaUploaded)},
            tagged=await _events(ports, MediaTagged),
            letters=await letters(ports.log, ports.state),
            waiting=await _waiting(ports),
            marks=[
                key
                for prefix in ("open/", "running/", "attempts/")
                for key in await ports.state.keys(prefix)
            ],
            points={name: await _points(vectors, name) for name in await vectors.collections()},
        )


def unclean(data: Path) -> list[str]:
    """Files that only a living process may have, and what SQLite finds wrong."""
    left = [path for path in (data / "blobs" / ".incoming").iterdir() if path.is_dir()]
    left += [path for path in (data / "scratch").iterdir() if path.is_dir()]
    left += list((data / "wake").glob("*.fifo"))
    left += [path for path in (data / "vectors").rglob(".*") if path.is_file()]
    with sqlite3.connect(data / "engine.db") as database:
        (verdict,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    return [str(path.relative_to(data)) for path in left] + [verdict] * (verdict != "ok")


def expect_nothing_doubled(found: Kept) -> None:
    """Each unique item of a medium is one point, and so is each catalog item."""
    items = Counter(
        item.item_id
        for tagged in found.queries.values()
        for item in tagged.items
        if item.duplicate_of is None
    )
    products = Counter(p.point_id for tagged in found.results.values() for p in tagged.points)
    assert found.item_points() == items
    assert found.catalog_points() == products
    assert set((items + products).values()) == {1}


def expect_one_voice(found: Kept) -> None:
    """Equal ids say equal things, and revisions of a medium rise."""
    said: dict[str, object] = {}
    revisions: dict[str, int] = {}
    for event in found.tagged:
        if event.id in said:
            assert said[event.id] == event.data
            continue
        said[event.id] = event.data
        assert event.data.revision > revisions.get(event.subject, 0)
        revisions[event.subject] = event.data.revision


def differences(one: Mapping[str, MediaTagged], other: Mapping[str, MediaTagged]) -> list[str]:
    """Where two sets of results differ: numbers by more than 1e-4, all else at all.

    Revisions and ``cached`` are the run's, not the result's; so is which of several names a
    medium goes by, if it was announced under several.
    """
    found = [f"{media}: only in one of them" for media in one.keys() ^ other.keys()]
    for media in one.keys() & other.keys():
        found += _unlike(_comparable(one[media]), _comparable(other[media]), media)
    return found


def _comparable(tagged: MediaTagged) -> dict[str, Any]:
    plain = tagged.model_dump(mode="json", exclude=set(_UNLIKE))
    if plain["filename"] in {upload.filename for upload in tagged.uploads}:
        plain["filename"] = min(upload.filename for upload in tagged.uploads)
    return plain


def _unlike(one: Any, other: Any, place: str) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [line for key in one for line in _unlike(one[key], other[key], f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for n, (a, b) in pairs for line in _unlike(a, b, f"{place}[{n}]")]
    if isinstance(one, float) and isinstance(other, float):
        return [] if math.isclose(one, other, abs_tol=_CLOSE) else [f"{place}: {one} {other}"]
    return [] if one == other else [f"{place}: {one!r} {other!r}"]


async def _results(ports: Ports) -> dict[str, MediaTagged]:
    found = {}
    for media, latest in (await PartStore(ports.state).results()).items():
        key = result_key(media, latest.pipeline)
        found[media] = MediaTagged.model_validate_json(await ports.blobs.get(key))
    return found


async def _events(ports: Ports, model: type[D]) -> list[Event[D]]:
    records = ports.log.tail([model.topic], "earliest", follow=False)
    return [decode(record).of(model) async for record in records]


async def _waiting(ports: Ports) -> dict[str, int]:
    found = {}
    for stage in _STAGES:
        lag = await ports.log.lag(stage.name, [model.topic for model in stage.reads])
        found[stage.name] = sum(lag.values())
    return found


async def _points(vectors: VectorStore, collection: str) -> list[str]:
    ids: list[str] = []
    after = None
    while True:
        page, after = await vectors.scroll(collection, None, 256, after)
        ids += [point.id for point in page]
        if after is None:
            return ids

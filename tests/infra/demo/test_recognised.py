"""The lite profile on the drawings: what the demo promises, without engine or catalog service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pictures

from core.events import Frame, Match, MediaTagged, TaggedItem, Vectors
from core.settings import VisionSettings
from core.vision.lite.profile import make_profile
from core.vision.port import Crop, Image, Instance
from infra.demo.catalog import write_catalog
from infra.demo.media import write_media
from infra.demo.score import Score, score
from infra.demo.truth import MediumTruth


class _Eyes:
    """Finds items and turns them into vectors, one picture at a time."""

    def __init__(self) -> None:
        profile = make_profile(VisionSettings(threads=2))
        self.detector, self.segmenter = profile.detector, profile.segmenter
        self.embedder = profile.embedder

    def look(self, image: Image) -> list[tuple[Instance, Vectors]]:
        found = self.segmenter.segment([image], self.detector.detect([image], [""]))[0]
        windows = [
            np.s_[int(y0) : int(y1), int(x0) : int(x1)]
            for x0, y0, x1, y1 in (one.box for one in found)
        ]
        crops = [Crop(image[w], one.mask) for w, one in zip(windows, found, strict=True)]
        return list(zip(found, self.embedder.embed(crops), strict=True)) if crops else []


def _frames(path: Path, medium: MediumTruth) -> Iterator[tuple[int, Image]]:
    """A picture, or the middle of each shot of a film; times in ms."""
    if path.suffix != ".mp4":
        yield 0, np.asarray(Pictures.open(path))
        return
    middles = [(shot.start_ms + shot.end_ms) / 2 for shot in medium.shots]
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if middles and frame.time * 1000 >= middles[0]:
                middles.pop(0)
                pixels = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                yield round(frame.time * 1000), pixels


def _tagged(
    eyes: _Eyes, path: Path, medium: MediumTruth, vectors: Vectors, products: list[str]
) -> MediaTagged:
    frames: list[Frame] = []
    items: list[TaggedItem] = []
    for time_ms, image in _frames(path, medium):
        frame = f"{path.name}/{time_ms:09d}"
        frames.append(
            Frame(
                frame_id=frame,
                blob_key="",
                time_ms=time_ms,
                timecode="",
                width=image.shape[1],
                height=image.shape[0],
            )
        )
        for place, (one, vector) in enumerate(eyes.look(image)):
            cosines = vectors @ vector
            best = int(cosines.argmax())
            matches = [
                Match(
                    product_id=products[best],
                    score=float(cosines[best]),
                    point_id=str(best),
                    payload={},
                )
            ]
            items.append(
                TaggedItem(
                    item_id=f"{frame}-{place}",
                    label=one.label,
                    category=one.category,
                    score=one.score,
                    box=one.box,
                    crop_key="",
                    frame_id=frame,
                    matches=matches if cosines[best] >= eyes.embedder.match_threshold else [],
                )
            )
    return MediaTagged(
        media_id=path.name,
        revision=1,
        status="complete",
        filename=path.name,
        frames=frames,
        items=items,
    )


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Score:
    eyes, folder = _Eyes(), tmp_path_factory.mktemp("demo")
    found = [
        (product, vector)
        for product in write_catalog(folder / "catalog")
        for _, vector in eyes.look(
            np.asarray(
                Pictures.open(folder / "catalog" / f"product_{product}" / f"{product}_000.jpg")
            )
        )
    ]
    truth = write_media(folder / "media")
    vectors, products = np.stack([v for _, v in found]), [product for product, _ in found]
    results = [
        _tagged(eyes, folder / "media" / medium.filename, medium, vectors, products)
        for medium in truth
    ]
    return score(truth, results)


def test_nearly_every_garment_is_found(outcome: Score) -> None:
    assert outcome.found / outcome.total >= 0.95, outcome.rows


def test_nearly_every_garment_is_matched_to_its_own_product(outcome: Score) -> None:
    assert outcome.share >= 0.95, outcome.rows


def test_hardly_anything_is_found_where_nothing_was_drawn(outcome: Score) -> None:
    assert outcome.extra <= 2

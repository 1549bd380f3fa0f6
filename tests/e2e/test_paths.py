"""The same bytes again begin at the last topic that today's versions have not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from core.events import Kind, MediaTagged, Vectors
from core.media.decode import Decoder
from core.media.decoded import Decoded
from core.vision.port import Crop, Detection, Image, Profile
from infra.wiring.stages import pipeline
from tests.e2e.harness import Rig, product_pictures, rig, running, settled, submission, titles
from tests.vision_standin import StandinDetector, StandinEmbedder, png, standin_vision

Calls = Counter[str]


@dataclass
class CountingDecoder:
    """A decoder at work, which counts the media that it decodes."""

    decoder: Decoder
    calls: Calls

    @contextmanager
    def folder(self) -> Iterator[Path]:
        with self.decoder.folder() as folder:
            yield folder

    async def frames(self, path: Path, kind: Kind, folder: Path) -> Decoded:
        self.calls["decoded"] += 1
        return await self.decoder.frames(path, kind, folder)


class CountingDetector(StandinDetector):
    def __init__(self, calls: Calls, version: str) -> None:
        self.version = version
        self._calls = calls

    def detect(self, images: Sequence[Image], prompts: Sequence[str]) -> list[list[Detection]]:
        self._calls["detected"] += len(images)
        return super().detect(images, prompts)


class CountingEmbedder(StandinEmbedder):
    def __init__(self, calls: Calls, version: str) -> None:
        self.version = version
        self._calls = calls

    def embed(self, crops: Sequence[Crop]) -> Vectors:
        self._calls["embedded"] += len(crops)
        return super().embed(crops)


@dataclass
class Shop:
    """One engine after the other over the same stores, each with versions of its own."""

    room: Rig
    folder: Path
    calls: Calls = field(default_factory=Counter)
    dropped: int = 0

    def vision(self, detector: str, embedder: str) -> Profile:
        return replace(
            standin_vision(),
            detector=CountingDetector(self.calls, detector),
            embedder=CountingEmbedder(self.calls, embedder),
        )

    async def drop(self, detector: str = "d1", embedder: str = "e1") -> tuple[MediaTagged, Calls]:
        """The result of the same look, dropped once more, and what was called for it."""
        self.calls.clear()
        vision = self.vision(detector, embedder)
        decoder = CountingDecoder(await self.room.decoder(), self.calls)
        engine = await self.room.engine(vision=vision, decoder=cast("Decoder", decoder))
        self.dropped += 1
        look = submission(self.folder / f"look-{self.dropped}.png", png("red", "blue"))
        async with running(engine):
            (announced,) = await self.room.announce(look)
            await settled(engine)
        tagged = (await self.room.results())[announced.media_id]
        assert announced.root in {upload.root for upload in tagged.uploads}
        assert tagged.status == "complete"
        assert tagged.pipeline == pipeline(self.room.settings, vision)
        return tagged, Counter(self.calls)


async def test_with_the_same_settings_nothing_but_matching_runs(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as room:
        shop = Shop(room, tmp_path)
        first, calls = await shop.drop()
        engine = await room.engine(vision=shop.vision("d1", "e1"))
        async with running(engine):
            await room.announce(*product_pictures(tmp_path / "shop"))
            await settled(engine)

        again, more = await shop.drop()

        assert calls == {"decoded": 1, "detected": 1, "embedded": 2}
        assert more == {}
        assert again.cached
        assert (titles(first), titles(again)) == ([[], []], [["red"], ["blue"]])


async def test_after_a_change_of_the_embedder_nothing_is_decoded_or_segmented(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path / "data") as room:
        shop = Shop(room, tmp_path)
        first, _ = await shop.drop()

        other, calls = await shop.drop(embedder="e2")
        back, more = await shop.drop()

        assert calls == {"embedded": 2}
        assert more == {}  # the vectors of the first are still there
        assert [i.crop_key for i in other.items] == [i.crop_key for i in first.items]
        assert (first.embedder, other.embedder, back.embedder) == ("e1", "e2", "e1")
        assert (other.cached, back.cached) == (False, True)


async def test_after_a_change_of_the_detector_nothing_is_decoded_and_no_crop_is_lost(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path / "data") as room:
        shop = Shop(room, tmp_path)
        first, _ = await shop.drop()

        other, calls = await shop.drop(detector="d2")

        assert calls == {"detected": 1, "embedded": 2}
        assert [f.blob_key for f in other.frames] == [f.blob_key for f in first.frames]
        crops = {item.crop_key for tagged in (first, other) for item in tagged.items}
        assert len(crops) == 4
        for crop in crops:
            assert await room.ports.blobs.stat(crop) is not None

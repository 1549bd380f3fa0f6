"""The frames stage: one list of frames a medium, whatever is tried again, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from consumers.frames import FramesStage
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.envelope import Event
from core.errors import BlobMissingError, OutageError, UndecodableError
from core.events import (
    Data,
    FrameExtracted,
    ItemsEmbedded,
    ItemsSegmented,
    Kind,
    MediaFramed,
    MediaUploaded,
    Product,
)
from core.log.port import TopicPartition
from core.media.decode import Decoder
from core.media.decoded import Decoded, FrameFile
from core.paths import path
from core.results.parts import PartStore
from core.runtime.stage import Context, Output
from tests.consumers.media import MEDIA, frame, framed, ident, indexed, item, matched, upload
from tests.memory_state import MemoryStateStore

D = TypeVar("D", bound=Data)
VERSIONS = ("frames 1", "segment 1", "embed 1")
FRAMED, EMBEDDED = path(VERSIONS[:1]), path(VERSIONS)
HERE = Context(TopicPartition("media.uploaded", 0), 0, 1)


@dataclass
class Frames:
    """A decoder that finds frames at these times; or the error that it raises instead."""

    folders: Path
    times: list[int]
    error: Exception | None = None
    decoded: int = 0

    @contextmanager
    def folder(self) -> Iterator[Path]:
        folder = self.folders / str(self.decoded)
        folder.mkdir()
        yield folder

    async def frames(self, path: Path, kind: Kind, folder: Path) -> Decoded:
        self.decoded += 1
        if self.error is not None:
            raise self.error
        files = [folder / f"{time}.jpg" for time in self.times]
        for file in files:
            file.write_bytes(path.read_bytes())
        found = [
            FrameFile(file, time, "", 10, 10) for file, time in zip(files, self.times, strict=True)
        ]
        return Decoded(kind, tuple(found), ("scaled down",), 2000)


@dataclass
class Host:
    """What a stage runs on; another host shares the stores."""

    blobs: FolderBlobStore
    decoder: Frames
    state: MemoryStateStore = field(default_factory=MemoryStateStore)

    def stage(self, versions: Sequence[str] = VERSIONS) -> FramesStage:
        decoder = cast("Decoder", self.decoder)
        return FramesStage(self.blobs, self.state, decoder, versions[0], path(versions))

    @property
    def parts(self) -> PartStore:
        return PartStore(self.state)

    async def handle(
        self, event: Event[Data], versions: Sequence[str] = VERSIONS
    ) -> Sequence[Output]:
        return await self.stage(versions).handle(event, HERE)


@pytest.fixture
async def host(tmp_path: Path) -> Host:
    blobs = await FolderBlobStore.open(tmp_path / "blobs")
    await blobs.put([Blob("b", b"the medium", "image/jpeg")])
    folders = tmp_path / "frames"
    folders.mkdir()
    return Host(blobs, Frames(folders, [0, 1000]))


def of(outputs: Sequence[Output], model: type[D]) -> list[D]:
    return [output.data for output in outputs if isinstance(output.data, model)]


def with_(event: Event[Data], **changes: object) -> Event[Data]:
    return replace(event, data=event.data.model_copy(update=changes))


async def with_items(
    host: Host, root: str = "r1", times: Sequence[int] = (0, 1000), pipeline: str = EMBEDDED
) -> None:
    """The medium was framed, and these frames of an upload have been matched."""
    await host.handle(upload())
    await host.parts.put_part(0, framed([0, 1000], root, FRAMED), 0)
    for time in times:
        about = frame(time).frame_id
        event = replace(matched(time, [item(f"i{time}", 0.0)], root, pipeline), frame=about)
        await host.parts.put_part(0, event, 0)


async def test_each_frame_is_stored_and_said_and_then_the_list_of_them(host: Host) -> None:
    outputs = await host.handle(upload())

    *extracted, framed = outputs
    assert [output.frame for output in extracted] == [f"{MEDIA}/000000000", f"{MEDIA}/000001000"]
    assert isinstance(framed.data, MediaFramed)
    assert framed.data.frames == [said.frame for said in of(extracted, FrameExtracted)]
    assert (framed.data.notes, framed.data.duration_ms) == (["scaled down"], 2000)
    assert {output.pipeline for output in outputs} == {None}  # its own step, as the runtime adds
    for kept in framed.data.frames:
        assert await host.blobs.get(kept.blob_key) == b"the medium"


async def test_nothing_is_said_unless_the_list_is_stored(host: Host) -> None:
    host.state.away = True
    with pytest.raises(OutageError):
        await host.handle(upload())
    host.state.away = False

    outputs = await host.handle(upload())

    known = await host.parts.frame_list(MEDIA, FRAMED)
    assert known is not None
    assert known.root == "r1"
    assert known.framed == of(outputs, MediaFramed)[0]


async def test_a_retry_says_the_stored_list_whatever_would_be_decoded_now(host: Host) -> None:
    first = await host.handle(upload())
    other = Host(host.blobs, Frames(host.decoder.folders, [0, 700]), host.state)

    again = await other.handle(upload())

    assert again == first
    assert other.decoder.decoded == 0


async def test_a_retry_says_the_prompt_that_the_list_was_stored_with(host: Host) -> None:
    await host.handle(with_(upload(), prompt="scarf. belt."))

    again = await host.handle(with_(upload(), prompt=None))

    assert {said.prompt for said in of(again, FrameExtracted)} == {"scarf. belt."}


async def test_another_version_decodes_for_itself_and_leaves_the_frames_of_the_first(
    host: Host,
) -> None:
    before = of(await host.handle(upload()), MediaFramed)[0].frames

    outputs = await host.handle(upload(), ("frames 2", *VERSIONS[1:]))

    assert host.decoder.decoded == 2
    now = of(outputs, MediaFramed)[0].frames
    assert {kept.blob_key for kept in now}.isdisjoint(kept.blob_key for kept in before)
    for kept in (*before, *now):
        assert await host.blobs.get(kept.blob_key) == b"the medium"


async def test_whole_items_are_said_again_and_nothing_is_decoded_or_seen(host: Host) -> None:
    await with_items(host)

    outputs = await host.handle(upload("r2"))

    assert host.decoder.decoded == 1
    assert (of(outputs, FrameExtracted), of(outputs, ItemsSegmented)) == ([], [])
    *again, listed = outputs
    assert {output.pipeline for output in again} == {EMBEDDED}
    assert listed.pipeline is None
    (framed,) = of(outputs, MediaFramed)
    assert framed.cached
    embedded = of(outputs, ItemsEmbedded)
    assert [said.frame for said in embedded] == framed.frames
    kept = item("i0", 0.0)
    assert [found.item_id for found in embedded[0].items] == [kept.item_id]
    assert embedded[0].items[0].vector == kept.vector
    assert "matches" not in embedded[0].items[0].model_dump()


async def test_under_another_embedder_items_are_said_again_without_their_vectors(
    host: Host,
) -> None:
    await with_items(host)

    outputs = await host.handle(upload("r2"), (*VERSIONS[:2], "embed 2"))

    assert host.decoder.decoded == 1
    assert (of(outputs, FrameExtracted), of(outputs, ItemsEmbedded)) == ([], [])
    *again, _ = outputs
    assert {output.pipeline for output in again} == {path(VERSIONS[:2])}
    segmented = of(outputs, ItemsSegmented)
    assert [[found.item_id for found in said.items] for said in segmented] == [
        [ident("i0")],
        [ident("i1000")],
    ]
    assert {"vector", "matches"}.isdisjoint(segmented[0].items[0].model_dump())
    assert not of(outputs, MediaFramed)[0].cached


async def test_under_another_detector_the_stored_frames_are_said_again(host: Host) -> None:
    await with_items(host)

    outputs = await host.handle(upload("r2"), ("frames 1", "segment 2", "embed 1"))

    assert host.decoder.decoded == 1
    assert (of(outputs, ItemsSegmented), of(outputs, ItemsEmbedded)) == ([], [])
    assert len(of(outputs, FrameExtracted)) == 2
    assert not of(outputs, MediaFramed)[0].cached


@pytest.mark.parametrize("lacking", [{"times": [0]}, {"pipeline": "78e30e0c5c36"}])
async def test_items_that_lack_a_frame_or_have_no_path_are_not_said_again(
    lacking: dict[str, Any], host: Host
) -> None:
    await with_items(host, **lacking)

    outputs = await host.handle(upload("r2"))

    assert (of(outputs, ItemsSegmented), of(outputs, ItemsEmbedded)) == ([], [])
    assert len(of(outputs, FrameExtracted)) == 2
    assert not of(outputs, MediaFramed)[0].cached


async def test_the_retry_of_the_upload_that_was_decoded_is_not_answered_from_itself(
    host: Host,
) -> None:
    await with_items(host)

    outputs = await host.handle(upload("r1"))

    assert not of(outputs, MediaFramed)[0].cached
    assert len(of(outputs, FrameExtracted)) == 2


async def test_frames_are_said_with_what_is_known_of_their_product_now(host: Host) -> None:
    before, now = Product(id="7", price="10"), Product(id="7", price="8")
    await host.handle(with_(upload(), product=before))

    outputs = await host.handle(with_(upload("r2"), product=now))

    assert of(outputs, MediaFramed)[0].product == now
    assert {said.product for said in of(outputs, FrameExtracted)} == {now}


async def test_indexed_items_are_said_again_with_their_product_of_now(host: Host) -> None:
    now = Product(id="7", price="8")
    await with_items(host)
    for time in (0, 1000):
        about = frame(time).frame_id
        event = replace(indexed(time, [f"i{time}"], pipeline=EMBEDDED), frame=about)
        await host.parts.put_part(0, event, 0)

    outputs = await host.handle(with_(upload("r2"), product=now))

    embedded = of(outputs, ItemsEmbedded)
    assert {said.product for said in embedded} == {now}
    assert "point_id" not in embedded[0].items[0].model_dump()


async def test_an_undecodable_medium_leaves_nothing_behind(host: Host) -> None:
    host.decoder.error = UndecodableError("not a picture")

    with pytest.raises(UndecodableError, match="not a picture"):
        await host.handle(upload())

    assert await host.parts.frame_list(MEDIA, FRAMED) is None
    assert [blob.key async for blob in host.blobs.list("frames/")] == []


async def test_a_medium_whose_blob_is_gone_is_refused(host: Host) -> None:
    await host.blobs.delete(["b"])

    with pytest.raises(BlobMissingError):
        await host.handle(upload())


def test_it_reads_uploads_in_the_order_of_their_medium() -> None:
    assert (FramesStage.reads, FramesStage.lane) == ((MediaUploaded,), "media")

"""The frames stage: one list of frames a medium, whatever is tried again, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar, cast

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
    Kind,
    MediaFramed,
    MediaUploaded,
    Product,
    Status,
)
from core.log.port import TopicPartition
from core.media.decode import Decoder
from core.media.decoded import Decoded, FrameFile
from core.results.parts import Latest, PartStore
from core.runtime.stage import Context, Output
from tests.consumers.media import MEDIA, frame, indexed, item, matched, upload
from tests.memory_state import MemoryStateStore

D = TypeVar("D", bound=Data)
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

    def stage(self, pipeline: str = "p") -> FramesStage:
        decoder = cast("Decoder", self.decoder)
        return FramesStage(self.blobs, self.state, decoder, pipeline)

    @property
    def parts(self) -> PartStore:
        return PartStore(self.state)

    async def handle(self, event: Event[Data], pipeline: str = "p") -> Sequence[Output]:
        return await self.stage(pipeline).handle(event, HERE)


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


async def with_result(
    host: Host, root: str = "r1", status: Status = "complete", pipeline: str = "p"
) -> None:
    """The medium was framed, and this is the result of its first upload."""
    await host.handle(upload())
    for time in (0, 1000):
        about = frame(time).frame_id
        event = replace(matched(time, [item(f"i{time}", 0.0)], root), frame=about)
        await host.parts.put_part(0, event, 0)
    latest = Latest(
        revision=1, digest="d", pipeline=pipeline, root=root, status=status, announced=True
    )
    await host.parts.put_latest(MEDIA, latest)


async def test_each_frame_is_stored_and_said_and_then_the_list_of_them(host: Host) -> None:
    outputs = await host.handle(upload())

    *extracted, framed = outputs
    assert [output.frame for output in extracted] == [f"{MEDIA}/000000000", f"{MEDIA}/000001000"]
    assert isinstance(framed.data, MediaFramed)
    assert framed.data.frames == [said.frame for said in of(extracted, FrameExtracted)]
    assert (framed.data.notes, framed.data.duration_ms) == (["scaled down"], 2000)
    assert {output.pipeline for output in outputs} == {"p"}
    for kept in framed.data.frames:
        assert await host.blobs.get(kept.blob_key) == b"the medium"


async def test_nothing_is_said_unless_the_list_is_stored(host: Host) -> None:
    host.state.away = True
    with pytest.raises(OutageError):
        await host.handle(upload())
    host.state.away = False

    outputs = await host.handle(upload())

    known = await host.parts.frame_list(MEDIA, "p")
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


async def test_another_pipeline_decodes_for_itself(host: Host) -> None:
    await host.handle(upload())

    outputs = await host.handle(upload(), "q")

    assert host.decoder.decoded == 2
    assert of(outputs, MediaFramed)[0].frames[0].blob_key.startswith("frames/q/")


async def test_a_complete_result_is_said_again_without_decoding(host: Host) -> None:
    await with_result(host)

    outputs = await host.handle(upload("r2"))

    assert host.decoder.decoded == 1
    assert of(outputs, FrameExtracted) == []
    (framed,) = of(outputs, MediaFramed)
    assert framed.cached
    embedded = of(outputs, ItemsEmbedded)
    assert [said.frame for said in embedded] == framed.frames
    kept = item("i0", 0.0)
    assert [found.item_id for found in embedded[0].items] == [kept.item_id]
    assert embedded[0].items[0].vector == kept.vector
    assert "matches" not in embedded[0].items[0].model_dump()


@pytest.mark.parametrize(("status", "pipeline"), [("partial", "p"), ("complete", "before")])
async def test_a_result_that_is_not_this_pipelines_and_complete_is_no_answer(
    status: Status, pipeline: str, host: Host
) -> None:
    await with_result(host, status=status, pipeline=pipeline)

    outputs = await host.handle(upload("r2"))

    assert len(of(outputs, FrameExtracted)) == 2
    assert not of(outputs, MediaFramed)[0].cached
    assert host.decoder.decoded == 1


async def test_a_result_that_lacks_a_frames_items_is_no_answer(host: Host) -> None:
    await with_result(host, root="r0")
    await host.parts.put_latest(
        MEDIA,
        Latest(revision=1, digest="d", pipeline="p", root="r1", status="complete", announced=True),
    )

    outputs = await host.handle(upload("r2"))

    assert of(outputs, ItemsEmbedded) == []
    assert len(of(outputs, FrameExtracted)) == 2


async def test_the_retry_of_the_upload_that_was_decoded_is_not_answered_from_itself(
    host: Host,
) -> None:
    await with_result(host)

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
    await with_result(host)
    for time in (0, 1000):
        await host.parts.put_part(0, indexed(time, [f"i{time}"]), 0)

    outputs = await host.handle(with_(upload("r2"), product=now))

    embedded = of(outputs, ItemsEmbedded)
    assert {said.product for said in embedded} == {now}
    assert "point_id" not in embedded[0].items[0].model_dump()


async def test_an_undecodable_medium_leaves_nothing_behind(host: Host) -> None:
    host.decoder.error = UndecodableError("not a picture")

    with pytest.raises(UndecodableError, match="not a picture"):
        await host.handle(upload())

    assert await host.parts.frame_list(MEDIA, "p") is None
    assert [blob.key async for blob in host.blobs.list("frames/")] == []


async def test_a_medium_whose_blob_is_gone_is_refused(host: Host) -> None:
    await host.blobs.delete(["b"])

    with pytest.raises(BlobMissingError):
        await host.handle(upload())


def test_it_reads_uploads_in_the_order_of_their_medium() -> None:
    assert (FramesStage.reads, FramesStage.lane) == ((MediaUploaded,), "media")

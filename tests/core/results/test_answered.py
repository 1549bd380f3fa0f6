"""An announcement is answered for good, though results name only the newest hundred."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumers.results.stage import ResultsStage
from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.envelope import Event, dump, encode
from core.events import MediaTagged, MediaUploaded, Upload
from core.log.partitioner import partition_of
from core.log.port import TopicPartition
from core.ports import Ports
from core.results.answered import READER, answer
from core.results.answers import listening
from core.results.keys import result_key
from core.results.medium import KEPT_UPLOADS
from core.results.parts import Latest, PartStore
from infra.contract.topics import embedded_topics
from tests.memory_broker import Broker
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore

MEDIA = "0" * 32
HERE = TopicPartition(MediaUploaded.topic, partition_of(MEDIA, 3))


class Medium:
    """One medium whose uploads are said, noted, and answered by a result."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self.said: list[Event[MediaUploaded]] = []
        self.noted = 0

    async def say(self, count: int = 1) -> None:
        """The next uploads, ``r0``, ``r1`` and so on."""
        start = len(self.said)
        self.said += [upload(f"r{number}") for number in range(start, start + count)]
        await self.ports.log.publish([encode(event) for event in self.said[start:]])

    async def note(self) -> None:
        """As the stage does with all that it reads."""
        for offset in range(self.noted, len(self.said)):
            await PartStore(self.ports.state).put_part(HERE.partition, self.said[offset], offset)
        self.noted = len(self.said)
        await self.ports.log.set_offsets(READER, {HERE: self.noted})

    async def tag(self) -> None:
        """A result of what was noted."""
        known = self.said[: self.noted]
        named = [Upload(root=one.root, uri="", filename="") for one in known[-KEPT_UPLOADS:]]
        tagged = MediaTagged(
            media_id=MEDIA,
            revision=1,
            status="complete",
            uploads=named,
            upload_count=len(known),
        )
        latest = Latest(
            revision=1, digest="", pipeline="p", root="", status="complete", announced=True
        )
        await PartStore(self.ports.state).put_latest(MEDIA, latest)
        await self.ports.blobs.put([Blob(result_key(MEDIA, "p"), dump(tagged), "application/json")])

    async def forget(self) -> None:
        store = PartStore(self.ports.state)
        await store.forget(MEDIA, await store.parts(MEDIA))

    async def answered(self, number: int) -> bool:
        return await answer(self.ports, MEDIA, f"r{number}") is not None


def upload(root: str) -> Event[MediaUploaded]:
    data = MediaUploaded(
        media_id=MEDIA,
        content_hash="ab" * 32,
        uri=f"file:///{root}",
        filename="a.jpg",
        producer="catalog",
        announcement=1,
        blob_key="media/ab/abab.jpg",
        content_type="image/jpeg",
        kind="picture",
        size=1,
    )
    return Event(id=root, source="/producers/catalog", subject=MEDIA, root=root, data=data)


@pytest.fixture
async def medium(tmp_path: Path) -> Medium:
    log = MemoryEventLog(broker=Broker(0, CALM))
    await log.create_topics(embedded_topics(3))
    return Medium(Ports(log, MemoryStateStore(), await FolderBlobStore.open(tmp_path)))


async def test_a_result_answers_whom_it_names_and_nobody_else(medium: Medium) -> None:
    await medium.say()
    await medium.note()
    assert not await medium.answered(0)

    await medium.tag()
    await medium.say()

    assert await medium.answered(0)
    assert not await medium.answered(1)


async def test_one_that_is_too_old_to_be_named_is_answered_still(medium: Medium) -> None:
    await medium.say(KEPT_UPLOADS + 2)
    await medium.note()
    await medium.tag()
    await medium.forget()

    assert await medium.answered(0)
    assert await medium.answered(1)
    assert await medium.answered(KEPT_UPLOADS + 1)


async def test_one_that_is_noted_and_too_old_to_be_named_is_answered(medium: Medium) -> None:
    await medium.say(KEPT_UPLOADS + 1)
    await medium.note()
    await medium.tag()  # and a crash, before anything was forgotten

    assert await medium.answered(0)


async def test_a_new_one_among_many_is_not_answered_by_a_result_from_before_it(
    medium: Medium,
) -> None:
    await medium.say(KEPT_UPLOADS + 2)
    await medium.note()
    await medium.tag()
    await medium.forget()

    await medium.say()
    newest = len(medium.said) - 1
    assert not await medium.answered(newest)
    await medium.note()
    assert not await medium.answered(newest)
    await medium.tag()
    assert await medium.answered(newest)


async def test_who_waits_for_one_that_is_too_old_to_be_named_waits_no_more(medium: Medium) -> None:
    await medium.say(KEPT_UPLOADS + 1)
    await medium.note()
    await medium.tag()
    await medium.forget()

    async with listening(medium.ports) as answers:
        tagged = await answers.to(MEDIA, "r0")

    assert tagged.upload_count == KEPT_UPLOADS + 1


def test_the_reader_is_the_stage_that_notes_uploads() -> None:
    assert ResultsStage.name == READER

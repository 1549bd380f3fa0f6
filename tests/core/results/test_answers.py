"""Who waits for a result gets it, whenever it comes; and learns why, if there will be none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from core.blobs.folder import FolderBlobStore
from core.blobs.port import Blob
from core.claimcheck import INLINE_LIMIT, encode_checked
from core.envelope import Event, dump, encode
from core.errors import SettingsError
from core.events import MediaTagged, Upload
from core.log.port import Message, Record, Start, TopicPartition
from core.ports import Ports
from core.results.answers import Answers, listening
from core.results.parts import Latest, PartStore
from infra.contract.topics import embedded_topics
from tests.memory_broker import Broker
from tests.memory_log import CALM, MemoryEventLog
from tests.memory_state import MemoryStateStore

MEDIA = "0" * 32


class RefusingLog(MemoryEventLog):
    """Its readers have no right to read, which they learn when ``go`` is set."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(broker=broker)
        self.go = asyncio.Event()

    async def tail(
        self, topics: Sequence[str], start: Start | Mapping[TopicPartition, int], follow: bool
    ) -> AsyncIterator[Record]:
        await self.go.wait()
        for topic in topics:
            raise SettingsError(f"no right to read {topic}")
        async for record in super().tail(topics, start, follow):
            yield record


@pytest.fixture
async def broker() -> Broker:
    return Broker(0, CALM)


@pytest.fixture
async def ports(tmp_path: Path, broker: Broker) -> Ports:
    log = MemoryEventLog(broker=broker)
    await log.create_topics(embedded_topics(3))
    return Ports(log, MemoryStateStore(), await FolderBlobStore.open(tmp_path))


def tagged(root: str, note: str = "") -> Event[MediaTagged]:
    upload = Upload(root=root, uri="file:///look.jpg", filename="look.jpg")
    data = MediaTagged(
        media_id=MEDIA, revision=1, status="complete", uploads=[upload], notes=[note]
    )
    return Event(id=f"id-{root}", source="/stages/results", subject=MEDIA, root=root, data=data)


async def store(ports: Ports, event: Event[MediaTagged]) -> None:
    """As ``results`` does before it says anything."""
    latest = Latest(
        revision=1, digest="d", pipeline="p", root=event.root, status="complete", announced=False
    )
    await PartStore(ports.state).put_latest(MEDIA, latest)
    await ports.blobs.put([Blob(f"results/{MEDIA}/p.json", dump(event.data), "application/json")])


async def noted(answers: Answers) -> None:
    """Until somebody's question stands."""
    while not answers.awaited:  # noqa: ASYNC110  # it stands within a turn of the loop
        await asyncio.sleep(0)


async def test_a_result_goes_to_who_waits_for_the_announcement_it_names(ports: Ports) -> None:
    async with listening(ports) as answers:
        waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
        await noted(answers)

        await ports.log.publish([encode(tagged("another's")), encode(tagged("mine"))])

        assert [upload.root for upload in (await waiting).uploads] == ["mine"]


async def test_a_result_that_came_before_the_question_is_found(ports: Ports) -> None:
    async with listening(ports) as answers:
        await store(ports, tagged("mine"))
        await ports.log.publish([encode(tagged("mine"))])

        assert (await answers.to(MEDIA, "mine")).uploads[0].root == "mine"


async def test_a_result_that_is_too_large_for_a_record_is_an_answer_too(ports: Ports) -> None:
    large = tagged("mine", "x" * INLINE_LIMIT)
    async with listening(ports) as answers:
        waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
        await noted(answers)

        await ports.log.publish([await encode_checked(large, dump(large.data), ports.blobs)])

        assert (await waiting) == large.data


async def test_who_asks_after_the_hearing_failed_is_told_so_and_does_not_wait(
    ports: Ports, broker: Broker
) -> None:
    log = RefusingLog(broker)
    log.go.set()
    answers = Answers(Ports(log, ports.state, ports.blobs))
    with pytest.raises(SettingsError):
        await answers.listen({})

    with pytest.raises(SettingsError, match="no right"):
        await answers.to(MEDIA, "mine")


async def test_who_waits_when_the_hearing_fails_is_told_so(ports: Ports, broker: Broker) -> None:
    log = RefusingLog(broker)
    with pytest.raises(SettingsError, match="no right"):
        async with listening(Ports(log, ports.state, ports.blobs)) as answers:
            waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
            await noted(answers)

            log.go.set()
            await asyncio.Event().wait()

    assert isinstance(waiting.exception(), SettingsError)


async def test_an_outage_of_the_log_is_waited_out_and_nothing_is_missed(
    ports: Ports, broker: Broker
) -> None:
    async with listening(ports) as answers:
        waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
        await noted(answers)
        await ports.log.publish([encode(tagged("another's"))])
        broker.away = True
        broker.announce()
        await asyncio.sleep(0.05)
        assert not waiting.done()

        broker.away = False
        await ports.log.publish([encode(tagged("mine"))])

        assert (await waiting).uploads[0].root == "mine"


async def test_a_record_that_cannot_be_read_holds_up_nobody(ports: Ports) -> None:
    async with listening(ports) as answers:
        waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
        await noted(answers)
        newer = {**encode(tagged("x")).headers, "ce_type": "media.tagged.v9"}

        await ports.log.publish(
            [
                Message("media.tagged", MEDIA, b"no json", {}),
                Message("media.tagged", MEDIA, b"{}", newer),
                Message("media.tagged", MEDIA, None, {}),
                encode(tagged("mine")),
            ]
        )

        assert (await waiting).uploads[0].root == "mine"


async def test_nothing_is_kept_that_nobody_asked_for(ports: Ports) -> None:
    async with listening(ports) as answers:
        mine = asyncio.create_task(answers.to(MEDIA, "mine"))
        given_up = asyncio.create_task(answers.to(MEDIA, "another's"))
        await noted(answers)
        given_up.cancel()
        await asyncio.wait([given_up])

        await ports.log.publish([encode(tagged(f"root-{n}")) for n in range(100)])
        await ports.log.publish([encode(tagged("mine"))])
        await mine

        assert answers.awaited == 0


async def test_a_damaged_result_is_no_answer_and_the_next_one_is(ports: Ports) -> None:
    async with listening(ports) as answers:
        await store(ports, tagged("mine"))
        await ports.blobs.put([Blob(f"results/{MEDIA}/p.json", b"{", "application/json")])
        waiting = asyncio.create_task(answers.to(MEDIA, "mine"))
        await noted(answers)

        await ports.log.publish([encode(tagged("mine"))])

        assert (await waiting).uploads[0].root == "mine"

"""A broker that is killed or freezes costs time, and nothing else."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from core.database.database import SqliteDatabase
from core.errors import OutageError, SettingsError
from core.events import DeadLetter, FrameExtracted, ItemsSegmented
from core.log.kafka.log import KafkaEventLog, KafkaOptions
from core.log.port import EventLog, Message, TopicPartition, TopicSpec
from core.state.sqlite import SqliteStateStore
from tests.contracts.reading import Ears, join, read
from tests.core.log.kafka.clients import BATCHES, PATIENT, opened, options, private
from tests.core.runtime.stages import (
    Recorder,
    caught_up,
    create_topics,
    extracted,
    jitter,
    publish,
    running,
    said,
    until,
)
from tests.servers.cache import run
from tests.servers.kafka import KafkaBroker, kafka_bootstrap
from tests.servers.process import free_port

FRAMES, ITEMS, DEAD = FrameExtracted.topic, ItemsSegmented.topic, DeadLetter.topic


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[SqliteStateStore]:
    store = SqliteStateStore(SqliteDatabase(tmp_path / "engine.db"))
    yield store
    await store.close()


async def insist(call: Callable[[], Awaitable[None]]) -> None:
    """Repeats a call through an outage."""
    while True:
        try:
            return await call()
        except OutageError:
            await asyncio.sleep(0.2)


def kill(broker: KafkaBroker) -> None:
    broker.kill()
    broker.start()


def freeze(broker: KafkaBroker) -> None:
    """For longer than sessions last."""
    broker.freeze()
    time.sleep(9)
    broker.thaw()


async def all_handled(
    trouble: Callable[[KafkaBroker], None],
    times: int,
    media: int,
    folder: Path,
    state: SqliteStateStore,
) -> None:
    """Publishes and handles while the broker is in trouble, some times; nothing is lost."""
    events = [extracted(number, frame) for number in range(media) for frame in range(3)]
    stage = Recorder(jitter(times))

    async def send(log: EventLog) -> None:
        for start in range(0, len(events), 10):
            batch = events[start : start + 10]
            await insist(lambda batch=batch: publish(log, batch))  # type: ignore[misc]
            await asyncio.sleep(0.01)

    async with private(folder / "broker") as (broker, log):
        async with running(stage, log, state, folder, BATCHES, PATIENT):
            sending = asyncio.create_task(send(log))
            for n in range(1, times + 1):
                await until(lambda n=n: len(stage.handled) > n * len(events) / (times + 2), 60)
                await asyncio.to_thread(trouble, broker)
            await sending
            await until(lambda: patiently_caught_up(log, stage), 90)
        answers = await said(log, ITEMS)
        dead = await said(log, DEAD)

    assert {event_id for _, event_id in stage.handled} == {event.id for event in events}
    assert len({event.id for event in answers}) == len(events)
    assert dead == []


async def patiently_caught_up(log: EventLog, stage: Recorder) -> bool:
    try:
        return await caught_up(log, stage)
    except OutageError:
        return False


async def test_a_killed_broker_loses_nothing(tmp_path: Path, state: SqliteStateStore) -> None:
    await all_handled(kill, 1, 100, tmp_path, state)


async def test_a_broker_that_freezes_for_a_while_loses_nothing(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    await all_handled(freeze, 1, 100, tmp_path, state)


@pytest.mark.long
async def test_a_broker_that_is_killed_again_and_again_loses_nothing(
    tmp_path: Path, state: SqliteStateStore
) -> None:
    await all_handled(kill, 5, 1000, tmp_path, state)


async def test_a_frozen_broker_is_an_outage_of_every_call(tmp_path: Path) -> None:
    async with private(tmp_path, answer_s=1.5, publish_s=3.0) as (broker, log):
        member = await join(log, "g", [FRAMES])
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: log.publish([Message(ITEMS, "k", b"1")]),
            lambda: member.commit({TopicPartition(FRAMES, 0): 0}),
            lambda: log.lag("g", [FRAMES]),
            lambda: log.committed("g"),
            lambda: log.topics(),
            lambda: log.groups(),
            lambda: log.subscribe("h", [FRAMES], Ears()),
            lambda: anext(aiter(log.tail([FRAMES], "earliest", follow=False))),
        ]
        await log.publish([Message(ITEMS, "k", b"0")])

        broker.freeze()
        async with asyncio.timeout(30):
            outcomes = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
            with pytest.raises(OutageError, match=broker.bootstrap):
                while True:
                    await member.fetch(10, 0.5)
        broker.thaw()

        assert [type(outcome) for outcome in outcomes] == [OutageError] * len(calls)
        assert all(broker.bootstrap in str(outcome) for outcome in outcomes)
        await insist(lambda: log.publish([Message(FRAMES, "k", b"2")]))
        async with asyncio.timeout(60):
            await insist(lambda: heard(member))


async def heard(member: object) -> None:
    assert len(await read(member, 1)) == 1  # type: ignore[arg-type]


async def test_publishing_outlives_the_death_of_the_broker(tmp_path: Path) -> None:
    async with private(tmp_path) as (broker, log):
        await log.publish([Message(FRAMES, "k", b"1")])
        broker.kill()
        waiting = asyncio.create_task(log.publish([Message(FRAMES, "k", b"2")]))
        await asyncio.to_thread(broker.start)

        await waiting
        await log.publish([Message(FRAMES, "k", b"3")])

        tail = log.tail([FRAMES], "earliest", follow=False)
        assert [record.value async for record in tail] == [b"1", b"2", b"3"]


async def test_a_publish_that_was_given_up_does_not_come_after_its_successor(
    tmp_path: Path,
) -> None:
    async with private(tmp_path, answer_s=1.0, publish_s=1.0) as (broker, log):
        await log.publish([Message(FRAMES, "k", b"1")])
        broker.freeze()
        with pytest.raises(OutageError):
            await log.publish([Message(FRAMES, "k", b"2")])
        broker.thaw()

        await insist(lambda: log.publish([Message(FRAMES, "k", b"2")]))
        await insist(lambda: log.publish([Message(FRAMES, "k", b"3")]))

        values = [r.value async for r in log.tail([FRAMES], "earliest", follow=False)]
        assert values in ([b"1", b"2", b"3"], [b"1", b"2", b"2", b"3"])


async def test_more_than_the_sockets_hold_is_given_up_in_time_too(tmp_path: Path) -> None:
    async with private(tmp_path, answer_s=30.0, publish_s=1.0) as (broker, log):
        await log.create_topics([TopicSpec("wide", partitions=32)])
        await log.publish([Message("wide", "k", b"1")])
        broker.freeze()

        async with asyncio.timeout(15):
            with pytest.raises(OutageError):
                await log.publish([Message("wide", None, os.urandom(900_000))] * 32)

        broker.thaw()
        await insist(lambda: log.publish([Message("wide", "k", b"2")]))


async def test_an_address_where_nobody_listens_is_an_outage() -> None:
    nobody = f"127.0.0.1:{free_port()}"

    async with opened(options(nobody)) as log:
        for call in (log.topics(), log.publish([Message("looks", "k", b"1")])):
            with pytest.raises(OutageError, match=nobody):
                await call


@pytest.mark.parametrize("servers", ["", "localhost", "localhost:", "a:1,b:x", "a:1,,b:2", "a:0"])
def test_servers_that_are_not_host_and_port_are_a_settings_error(servers: str) -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS"):
        KafkaOptions(servers)


async def test_a_certificate_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    wrong = options("localhost:9093", security_protocol="SSL", ssl_cafile=str(tmp_path / "ca.pem"))

    with pytest.raises(SettingsError, match="KAFKA_SSL_CAFILE"):
        await KafkaEventLog.open(wrong)


async def test_a_session_that_the_broker_does_not_allow_is_a_settings_error() -> None:
    async with opened(options(kafka_bootstrap(), session_timeout_s=0.1)) as log:
        await create_topics(log)
        member = await log.subscribe("g", [FRAMES], Ears())

        with pytest.raises(SettingsError, match="SessionTimeout"):
            await member.fetch(1, 10)


_TLS = """
listener.security.protocol.map=PLAINTEXT:SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PKCS12
ssl.keystore.location={keys}
ssl.keystore.password=secret
ssl.truststore.type=PEM
ssl.truststore.location={certificate}
"""


async def test_a_broker_is_trusted_by_the_certificate_that_is_named(tmp_path: Path) -> None:
    keys, certificate = tmp_path / "keys.p12", tmp_path / "broker.pem"
    broker = KafkaBroker(tmp_path / "broker", _TLS.format(keys=keys, certificate=certificate))
    store = ("-alias", "broker", "-keystore", str(keys), "-storepass", "secret")
    name = ("-dname", "CN=broker", "-ext", "SAN=IP:127.0.0.1", "-keyalg", "RSA")
    run(["keytool", "-genkeypair", *store, *name])
    run(["keytool", "-exportcert", "-rfc", "-file", str(certificate), *store])
    broker.start()
    try:
        async with opened(options(broker.bootstrap, security_protocol="SSL")) as log:
            with pytest.raises(SettingsError, match="KAFKA_SSL_CAFILE"):
                await log.topics()
        tls = options(
            broker.bootstrap, security_protocol="SSL", ssl_cafile=str(certificate), prefix=""
        )
        async with opened(tls) as log:
            await create_topics(log)
            await log.publish([Message(FRAMES, "k", b"1")])
            await join(log, "g", [FRAMES])
    finally:
        broker.kill()


_SASL = """
listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="b" user_broker="b" user_tagger="right";
"""


async def test_a_login_that_is_refused_is_a_settings_error(tmp_path: Path) -> None:
    broker = KafkaBroker(tmp_path, _SASL)
    broker.start()
    login: dict[str, object] = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "tagger"}
    try:
        async with opened(options(broker.bootstrap, sasl_password="wrong", **login)) as log:
            for call in (log.topics(), log.publish([Message("looks", "k", b"1")])):
                with pytest.raises(SettingsError, match="KAFKA_SASL_PASSWORD"):
                    await call
        async with opened(options(broker.bootstrap)) as log:
            with pytest.raises(OutageError, match="KAFKA_SECURITY_PROTOCOL"):
                await log.topics()
        async with opened(options(broker.bootstrap, sasl_password="right", **login)) as log:
            await create_topics(log)
            await log.publish([Message(FRAMES, "k", b"1")])
            await join(log, "g", [FRAMES])
    finally:
        broker.kill()

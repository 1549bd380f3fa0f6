"""A real Kafka broker: one KRaft node, from the jars that Maven fetches."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from tests.servers.cache import Cached, FetchError, run, tool
from tests.servers.process import ServerProcess, free_port, listens
from tests.servers.session import Address, shared, unavailable

_VERSION = "4.2.0"
# One id for all brokers, which never meet: a random one may begin with "-", like an option.
_CLUSTER = "dGFnZ2VyLXRlc3RzLWlkIQ"
_NAMED = "TEST_KAFKA_BOOTSTRAP_SERVERS"
_JAVA = ("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.initial.task.delay.ms=500
log.cleaner.backoff.ms=500
"""


class KafkaBroker(ServerProcess):
    """Keeps its port and its data when it is stopped or killed and started again. Making one skips
    the test where it cannot be had.

    Args:
        folder: for its data and its output.
        settings: lines of server.properties beside ours.
    """

    def __init__(self, folder: Path, settings: str = "") -> None:
        port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        self._properties = folder / "server.properties"
        ours = _PROPERTIES.format(port=port, controller=controller, data=folder / "data")
        self._settings = ours + settings
        super().__init__(
            [*java(), "kafka.Kafka", str(self._properties)],
            folder / "broker.log",
            ready=partial(listens, port),
        )

    def start(self, patience_s: float = 60.0) -> None:
        if not self._properties.exists():
            self._properties.parent.mkdir(parents=True, exist_ok=True)
            self._properties.write_text(self._settings)
            storage = ("kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER)
            run([*java(), *storage, "-c", str(self._properties)])
        super().start(patience_s)


def kafka_bootstrap() -> str:
    """Address of the broker that an environment variable names, or else of the session's own."""
    if named := os.environ.get(_NAMED):
        return named
    return shared("kafka", _start)["bootstrap"]


def console_consumer(bootstrap: str, topic: str, count: int, *options: str) -> list[str]:
    """What Kafka's own console consumer prints of the first ``count`` records of a topic."""
    command = ("--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning")
    limits = ("--max-messages", str(count), "--timeout-ms", "30000")
    consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    return run([*java(), consumer, *command, *limits, *options]).splitlines()


def _start(folder: Path) -> tuple[ServerProcess, Address]:
    broker = KafkaBroker(folder)
    broker.start()
    return broker, {"bootstrap": broker.bootstrap}


def java() -> list[str]:
    """The command line up to the main class; skips the test where it cannot be had."""
    try:
        tool("java")
        jars = _jars.folder()
    except FetchError as missing:
        unavailable(f"no Kafka broker here: {missing}")
    return [*_JAVA, "-cp", f"{jars}/*"]


def _fetch(folder: Path) -> None:
    pom = Path(__file__).with_name("kafka_pom.xml")
    version, target = f"-Dkafka.version={_VERSION}", f"-DoutputDirectory={folder}"
    copy = ("dependency:copy-dependencies", "-DincludeScope=runtime")
    run(["mvn", "-B", "-q", "-f", str(pom), *copy, version, target])


_jars = Cached(f"kafka-{_VERSION}", _fetch)

"""How a Kafka cluster is reached, and what that means in aiokafka's arguments."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

import aiokafka

from core.errors import SettingsError
from core.log.port import TopicPartition


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Where the brokers are, who we are, and how patient a group is with a silent member.

    Attributes:
        bootstrap_servers: ``host:port`` with commas between.
        client: what brokers call us in their logs and group listings.
        prefix: put before the name of every topic and group; callers never see it.
        session_timeout_s: a member that was not heard of for so long loses its partitions.
        max_poll_interval_s: so does one that did not fetch.
        rebalance_timeout_s: how long a rebalance waits for ``revoked`` to return.
        instance: static membership: our own name, the same after a restart; empty is dynamic.
        replication_factor: copies of a topic that is created; -1 leaves it to the broker.
        answer_s: how long an answer is waited for before it is an outage.
        publish_s: the same for an acknowledgement, which outlives a broker's restart.

    Raises:
        SettingsError: the servers are not written as ``host:port``.
    """

    bootstrap_servers: str
    client: str = "tagger"
    prefix: str = ""
    compression: Literal["none", "lz4", "zstd"] = "lz4"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    session_timeout_s: float = 30.0
    max_poll_interval_s: float = 300.0
    rebalance_timeout_s: float = 60.0
    instance: str = ""
    replication_factor: int = -1
    answer_s: float = 10.0
    publish_s: float = 30.0

    def __post_init__(self) -> None:
        for server in self.servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65536:
                raise SettingsError(
                    f"KAFKA_BOOTSTRAP_SERVERS: {server!r} is not host:port; "
                    "several are written with commas between"
                )

    @property
    def servers(self) -> list[str]:
        return [server.strip() for server in self.bootstrap_servers.split(",")]

    def outer(self, name: str) -> str:
        """What the cluster calls a topic or a group of ours."""
        return self.prefix + name

    def inner(self, name: str) -> str | None:
        """What we call it; None if it is not ours."""
        return name[len(self.prefix) :] if name.startswith(self.prefix) else None

    def outer_tp(self, tp: TopicPartition) -> aiokafka.TopicPartition:
        return aiokafka.TopicPartition(self.outer(tp.topic), tp.partition)

    def inner_tp(self, tp: aiokafka.TopicPartition) -> TopicPartition:
        """Of a topic that is ours."""
        return TopicPartition(tp.topic.removeprefix(self.prefix), tp.partition)


class Credentials:
    """The part of aiokafka's arguments that every client of ours shares."""

    def __init__(self, options: KafkaOptions) -> None:
        """Reads the certificates; raises SettingsError."""
        self._options = options
        self._tls = _tls(options) if options.security_protocol.endswith("SSL") else None

    def arguments(self, request_timeout_s: float) -> dict[str, Any]:
        """For a client whose requests fail after so many seconds without an answer."""
        options = self._options
        arguments = {
            "client_id": options.client,
            "request_timeout_ms": int(request_timeout_s * 1000),
            "security_protocol": options.security_protocol,
            "ssl_context": self._tls,
        }
        if options.security_protocol.startswith("SASL"):
            arguments |= {
                "sasl_mechanism": options.sasl_mechanism,
                "sasl_plain_username": options.sasl_username,
                "sasl_plain_password": options.sasl_password,
            }
        return arguments


def _tls(options: KafkaOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ssl_cafile or None)
        if options.ssl_certfile:
            context.load_cert_chain(options.ssl_certfile, options.ssl_keyfile or None)
    except OSError as error:  # ssl.SSLError is one, too
        raise SettingsError(
            f"a certificate cannot be read ({error}); "
            "check KAFKA_SSL_CAFILE, KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
        ) from error
    return context

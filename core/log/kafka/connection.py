"""Connections of aiokafka's clients: why there is none, and ending them at once."""

from __future__ import annotations

from typing import Any

from aiokafka.conn import create_conn

from core.errors import OutageError, TaggingError
from core.log.kafka.errors import Failure, translated
from core.log.kafka.options import Credentials, KafkaOptions

_CONNECT_S = 5.0


async def sever(client: Any) -> None:
    """Closes an ``AIOKafkaClient``; what waits for an answer fails.

    ``close`` alone would first write out what is buffered, which takes for ever where nobody reads,
    and leave those waiting who wait for the next metadata.
    """
    for connection in client._conns.values():
        if connection._writer is not None:
            connection._writer.transport.abort()
    await client.close()
    if client._md_update_fut is not None and not client._md_update_fut.done():
        client._md_update_fut.set_result(False)


async def why_unreachable(options: KafkaOptions, credentials: Credentials) -> TaggingError:
    """Finds out why no server could be asked for the cluster; aiokafka only logs that."""
    errors = []
    for server in options.servers:
        host, _, port = server.rpartition(":")
        try:
            connection = await create_conn(
                host.strip("[]"), int(port), **credentials.arguments(_CONNECT_S)
            )
        except Failure as error:
            errors.append(translated(error, options))
        else:
            connection.close()
            errors.append(
                OutageError(
                    f"Kafka at {server} takes connections and does not answer on them; "
                    "if that stays so, check KAFKA_SECURITY_PROTOCOL"
                )
            )
    # One server that knows us not is a clearer word than another one that is away.
    return min(errors, key=lambda error: isinstance(error, OutageError))

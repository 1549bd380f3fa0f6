"""What an error of aiokafka means to a caller: an outage, or a setting that is wrong."""

from __future__ import annotations

import ssl

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    InvalidConfigurationError,
    InvalidGroupIdError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    KafkaError,
    PolicyViolationError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from core.errors import OutageError, SettingsError, TaggingError
from core.log.kafka_options import Credentials, KafkaOptions

_CONNECT_S = 5.0

_LOGIN = (
    AuthenticationFailedError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    IllegalSaslStateError,
)
_FORBIDDEN = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)
_REFUSED = (
    InvalidConfigurationError,
    InvalidGroupIdError,
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidSessionTimeoutError,
    InvalidTopicError,
    PolicyViolationError,
)

Failure = (KafkaError, OSError, TimeoutError)
"""What aiokafka's calls raise when they fail."""


def translated(error: BaseException, options: KafkaOptions) -> TaggingError:
    """The error of ours that says what to do about it."""
    servers = options.bootstrap_servers
    if isinstance(error, _LOGIN):
        return SettingsError(
            f"Kafka at {servers} refuses the login ({error}); check KAFKA_SASL_MECHANISM, "
            "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
        )
    if isinstance(error, ssl.SSLError):
        return SettingsError(
            f"Kafka at {servers} and we do not agree on TLS ({error}); check "
            "KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CAFILE"
        )
    if isinstance(error, _FORBIDDEN):
        who = options.sasl_username or "this client"
        return SettingsError(f"Kafka at {servers} does not let {who} do this ({error}); grant it")
    if isinstance(error, _REFUSED):
        return SettingsError(f"Kafka at {servers} does not accept this: {error}")
    said = "no answer in time" if isinstance(error, TimeoutError) else str(error)
    return OutageError(f"Kafka at {servers} cannot be used now: {said}")


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

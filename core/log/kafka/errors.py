"""What an error of aiokafka means to a caller: an outage, or a setting that is wrong."""

from __future__ import annotations

import ssl

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
from core.log.kafka.options import KafkaOptions

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
    """The error of ours that tells what to do about it."""
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
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
    return OutageError(f"Kafka at {servers} cannot be used now: {reason}")

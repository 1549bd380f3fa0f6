"""What the parts of one Kafka client share."""

from __future__ import annotations

from core.log.kafka.asking import Queries
from core.log.kafka.fences import Fences
from core.log.kafka.offsets import GroupOffsets
from core.log.kafka.options import Credentials, KafkaOptions
from core.log.kafka.topics import Topics


class Cluster:
    """Reaches no broker before it is used."""

    def __init__(self, options: KafkaOptions) -> None:
        """Reads the certificates; raises SettingsError."""
        self.options = options
        self.credentials = Credentials(options)
        self.queries = Queries(options, self.credentials)
        self.topics = Topics(options, self.queries)
        self.offsets = GroupOffsets(options, self.queries, self.topics)
        self.fences = Fences()

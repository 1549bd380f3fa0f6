"""Every setting, in one tree. Nothing else reads the environment.

A field is set by ``TAGGER_`` and its name (nested ones with ``__`` between), by a ``.env`` file in
the working directory, or, where one is named, by the key that the predecessor used. The
table in ``infra/docs/settings.md`` is made from these docstrings by ``tagger settings``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.addresses import refuse_userinfo
from core.profiles import DEFAULT_PROFILE, PROFILES


def _login(instead: str) -> AfterValidator:
    """For an address: where its login goes."""
    return AfterValidator(partial(refuse_userinfo, instead=instead))


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", use_attribute_docstrings=True, frozen=True, hide_input_in_errors=True
    )


class WatchSettings(_Section):
    """The folder producer."""

    settle_s: float = Field(2.0, ge=0)
    """A file counts as arrived when size, time and inode have been still for this many seconds."""
    rescan_s: float = Field(60.0, gt=0)
    """Seconds between two listings of the whole folder; file events are only hints."""
    poll_s: float = Field(1.0, gt=0)
    """Seconds between two listings where the file system sends no events."""
    undecodable_after_s: float = Field(60.0, ge=0)
    """A still file that does not decode is announced after this many seconds, so that its sender
    gets a reason."""
    max_file_mb: int = Field(2048, ge=1)
    """Larger files of a watched folder are refused, in MiB."""


class BucketSettings(_Section):
    """The bucket producer."""

    rescan_s: float = Field(300.0, gt=0)
    """Seconds between two listings of a whole bucket; notifications are only hints."""
    poll_s: float = Field(5.0, gt=0)
    """Seconds between two listings where the server sends no notifications."""
    max_object_mb: int = Field(2048, ge=1)
    """Larger objects of a watched bucket are refused, in MiB."""
    notifications: str = ""
    """Kafka topic that MinIO writes its bucket notifications to, without `KAFKA_PREFIX`, which it
    begins with in Kafka; empty listens to MinIO itself."""


class MediaSettings(_Section):
    """Decoding of pictures and videos."""

    workers: int = Field(2, ge=1)
    """Child processes that decode. While videos hold all of them there is one more for pictures."""
    max_pixels: int = Field(178_956_970, ge=1)
    """Pictures with more pixels are refused."""
    max_video_pixels: int = Field(36_000_000, ge=1)
    """Videos with more pixels a frame are refused."""
    max_duration_s: float = Field(3 * 3600, gt=0)
    """Videos longer than this many seconds are refused."""
    max_side: int = Field(2048, ge=64)
    """Frames with a longer side are scaled down to it, in pixels."""
    time_limit_s: float = Field(1800.0, gt=0)
    """A video that takes longer to decode is given up, in seconds. So is one that gives no new
    frame for 30 s, or takes more than 30 s and one for every 50 million pixels decoded."""
    memory_limit_mb: int = Field(4096, ge=256)
    """Memory that one decoding child may use, in MiB."""
    key_frame: Literal["sharpest", "start"] = "sharpest"
    """Which frame stands for a scene: the sharpest near its middle, or its first."""
    scene_threshold: float = Field(27.0, gt=0)
    """ContentDetector's threshold: how much must change for a cut."""


class VisionSettings(_Section):
    """Detection, masks and vectors."""

    profile: str = DEFAULT_PROFILE
    """Which models run; the default runs on any CPU, its weights included."""
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$")
    """Where models run: `cpu`, `cuda` or `cuda:N`; a host without it is refused."""
    threads: int = Field(0, ge=0)
    """Threads of one model; 0 takes all cores."""
    batch_size: int = Field(8, ge=1)
    """Most frames that a model sees at once."""
    batch_wait_s: float = Field(0.0, ge=0)
    """How long an idle model waits for a batch to fill, in seconds."""

    @field_validator("profile")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in PROFILES:
            raise ValueError(f"there is no profile {name!r}: there are {', '.join(PROFILES)}")
        return name


class MatchSettings(_Section):
    """Catalog matches and duplicates. Thresholds default to the embedder's own."""

    top_k: int = Field(5, ge=1, le=100)
    """Products listed for an item."""
    min_score: float | None = Field(None, ge=-1, le=1)
    """Cosine from which a product is a match."""
    duplicate_within: float | None = Field(None, ge=-1, le=1)
    """Cosine from which two items of one category in one medium are the same."""
    duplicate_across: float | None = Field(None, ge=-1, le=1)
    """The same for items of different categories."""
    duplicate_catalog: float | None = Field(None, ge=-1, le=1)
    """Cosine from which a catalog item is flagged as a duplicate."""


class RuntimeSettings(_Section):
    """The stages' loops."""

    concurrency: int = Field(16, ge=1)
    """Lanes (media or frames) that one stage works on at a time; one with a model has room for
    three batches at least."""
    max_in_flight: int = Field(64, ge=1)
    """Events that one stage has read and not done."""
    max_attempts: int = Field(5, ge=1)
    """Tries of one event before it is dead-lettered; outages cost none."""
    partitions: int = Field(8, ge=1)
    """Partitions of each topic; fixed when the data folder is made."""
    grace_s: float = Field(20.0, ge=0)
    """Seconds that a shutdown waits for work in flight."""
    partial_after_s: float = Field(900.0, gt=0)
    """A medium without progress for this many seconds is announced as partial."""


class _Service(BaseSettings):
    """A server that takes the place of something embedded once its address is set."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        use_attribute_docstrings=True,
        frozen=True,
        hide_input_in_errors=True,
    )


class KafkaSettings(_Service):
    """The event log on a cluster."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_")

    bootstrap_servers: Annotated[
        str, _login("KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD take them")
    ] = ""
    """Brokers, `host:port` with commas between; empty keeps the event log in SQLite."""
    prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]*$")
    """Put before the name of every topic and group, so that engines can share a cluster."""
    compression: Literal["none", "lz4", "zstd"] = "lz4"
    """How records are compressed on their way and in the log."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How brokers are spoken to."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How to log in, with a SASL protocol."""
    sasl_username: str = ""
    """Who logs in."""
    sasl_password: SecretStr = SecretStr("")
    """The password."""
    ssl_cafile: str = ""
    """Certificates to trust, a PEM file; empty trusts the system's."""
    ssl_certfile: str = ""
    """Our own certificate, a PEM file, where brokers ask for one."""
    ssl_keyfile: str = ""
    """Its key, a PEM file."""
    session_timeout_s: float = Field(10.0, gt=0)
    """A process that was not heard of for this many seconds loses its partitions."""
    max_poll_interval_s: float = Field(300.0, gt=0)
    """So does one that did not poll; work in progress keeps polling, however long it takes."""
    rebalance_timeout_s: float = Field(60.0, gt=0)
    """Seconds a rebalance waits for a process to finish what it has begun."""
    instance: str = ""
    """Static membership: a name that is this process's own and stays its own when it is restarted,
    so that a restart within the session timeout moves no partitions. Empty joins anew each time."""
    replication_factor: int = Field(-1, ge=-1)
    """Copies of each topic that `tagger topics create` asks for; -1 leaves it to the broker."""


class S3Settings(_Service):
    """Blobs and state on a cluster."""

    model_config = SettingsConfigDict(env_prefix="S3_")

    endpoint: Annotated[str, _login("S3_ACCESS_KEY and S3_SECRET_KEY take them")] = ""
    """MinIO or another S3 server, `http://host:port`; empty keeps blobs in a folder and state in
    SQLite."""
    access_key: str = ""
    """Who logs in."""
    secret_key: SecretStr = SecretStr("")
    """The password."""
    bucket: str = "tagger"
    """The engine's own bucket: blobs, and its state under `state/`. Made if it is not there."""
    region: str = ""
    """Only where the server wants one."""


class QdrantSettings(_Service):
    """Vectors on a cluster."""

    model_config = SettingsConfigDict(env_prefix="QDRANT_")

    url: Annotated[str, _login("QDRANT_API_KEY takes the key")] = ""
    """A Qdrant server, `http://host:6333`; empty keeps vectors in the data folder."""
    api_key: SecretStr = SecretStr("")
    """Its key, if it asks for one."""
    timeout_s: float = Field(30.0, gt=0)
    """Seconds until a call counts as failed."""


class Settings(BaseSettings):
    """The root of the tree."""

    model_config = SettingsConfigDict(
        env_prefix="TAGGER_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        use_attribute_docstrings=True,
        populate_by_name=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    data_dir: Path = Path("tagger-data")
    """Everything the engine keeps: event log, blobs, vectors."""
    alone: bool = False
    """No process of this engine uses another data folder; allows Kafka without S3, and S3 without
    Kafka."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """Least severe log lines that are written to stderr."""
    log_style: Literal["auto", "console", "json"] = "auto"
    """`auto` writes for people on a terminal and JSON lines elsewhere."""
    masking: bool = Field(True, validation_alias=AliasChoices("TAGGER_MASKING", "ENABLE_MASKING"))
    """Write RGBA crops that are transparent outside the item's mask."""
    prompt: str = Field("", validation_alias=AliasChoices("TAGGER_PROMPT", "TEXT_PROMPT"))
    """What to look for, phrases separated by periods; empty means all that the profile knows."""
    catalog: str = Field(
        "fashion_products",
        validation_alias=AliasChoices("TAGGER_CATALOG", "QDRANT_COLLECTION_NAME"),
    )
    """Name of the catalog that items are matched against."""
    http_host: str = "127.0.0.1"
    """Address of `/healthz`, `/readyz` and `/metrics`; `0.0.0.0` in a container."""
    http_port: int = Field(0, ge=0, le=65535)
    """Their port; 0 opens none."""
    otlp_endpoint: Annotated[
        str, _login("OTEL_EXPORTER_OTLP_HEADERS takes them, as Authorization=Basic ...")
    ] = Field(
        "", validation_alias=AliasChoices("TAGGER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """OpenTelemetry collector that gets a trace of each upload, like `http://collector:4318`;
    empty sends none."""
    watch: WatchSettings = WatchSettings()
    bucket: BucketSettings = BucketSettings()
    media: MediaSettings = MediaSettings()
    vision: VisionSettings = VisionSettings()
    match: MatchSettings = MatchSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    kafka: KafkaSettings = Field(default_factory=KafkaSettings)
    s3: S3Settings = Field(default_factory=S3Settings)
    qdrant: QdrantSettings = Field(default_factory=QdrantSettings)

    @property
    def clustered(self) -> bool:
        """Whether the event log is a server's, so that stages run wherever somebody started them;
        else they run in the one process that is the data folder's engine."""
        return bool(self.kafka.bootstrap_servers)

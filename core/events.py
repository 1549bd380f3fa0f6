"""What each topic says: one model a topic, and the parts they share.

Data holds no clock readings, so equal work gives equal bytes. Fields are only ever added; an
unknown one is kept and handed on, so an older stage between two newer ones loses nothing. Pixels
never travel here, only blob keys; vectors do.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, Field

Purpose = Literal["query", "catalog"]
Kind = Literal["picture", "video"]
Box = tuple[float, float, float, float]
Status = Literal["complete", "partial", "failed"]
Vectors = npt.NDArray[np.float32]
"""``(n, dim) float32``, L2-normalised rows, so that a dot product is a cosine."""

_MOST_WHOLE = 2**53 - 1
Whole = Annotated[int, Field(ge=-_MOST_WHOLE, le=_MOST_WHOLE)]
"""A number that every reader of JSON holds exactly, and every store takes (RFC 8259, section 6)."""


def _finite(vector: bytes) -> bytes:
    highest = vector[3::4]  # of an infinity or a NaN it is one of these, of a cosine never
    strange = b"\x7f" in highest or b"\xff" in highest
    if not vector or len(vector) % 4 or (strange and not _all_finite(vector)):
        raise ValueError("a vector is one row of finite numbers")
    return vector


def _all_finite(vector: bytes) -> bool:
    return bool(np.isfinite(np.frombuffer(vector, "<f4")).all())


class _Model(BaseModel):
    # Lists are defaults by factory: pydantic copies any other one deeply, for each event anew.
    # What is read may be no more than what is written: JSON has no infinity and no NaN.
    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)


class Data(_Model):
    """Base of what a topic's events say; subclasses name their topic."""

    topic: ClassVar[str]
    version: ClassVar[int] = 1

    media_id: str

    @classmethod
    @cache
    def type(cls) -> str:
        """The CloudEvents type: topic and major version."""
        return f"{cls.topic}.v{cls.version}"

    def key(self) -> str:
        """The record's key: what must stay in order has the same one."""
        return self.media_id


class Tombstone(Data):
    """What a compacted topic says of a key that is gone: a record without a value.

    Attributes:
        of_topic, of_key: where it stands, and what is gone there.
    """

    topic = ""  # it has none of its own

    of_topic: str
    of_key: str

    def key(self) -> str:
        return self.of_key


class Product(_Model):
    """A catalog product; unknown columns of a shop's export stay as they are."""

    id: str
    name: str = ""
    title: str = ""
    description: str = ""
    product_type: str = ""
    price: str = ""
    tags: str = ""
    collections: str = ""


class Frame(_Model):
    """A key frame. Times are presentation times in ms; a picture is one frame at 0."""

    frame_id: str
    blob_key: str
    time_ms: Whole
    timecode: str
    width: Whole
    height: Whole
    scene_start_ms: Whole = 0
    scene_end_ms: Whole = 0


class Item(_Model):
    """A garment in a frame. ``box`` is xyxy in pixels of the frame; keys name PNG crops.

    ``masked_key`` is the RGBA crop, transparent outside the mask; None where masking is off.
    """

    item_id: str
    label: str
    category: str
    score: float
    box: Box
    crop_key: str
    masked_key: str | None = None


class EmbeddedItem(Item):
    """An item with its vector: little-endian float32, base64, L2-normalised."""

    vector: Annotated[Base64Bytes, AfterValidator(_finite)]

    def array(self) -> npt.NDArray[np.float32]:
        """``(dim,) float32``."""
        return np.frombuffer(self.vector, dtype="<f4").astype(np.float32, copy=False)


class Match(_Model):
    """A catalog product that an item resembles, by its best crop. ``score`` is the cosine."""

    product_id: str
    score: float
    point_id: str
    payload: dict[str, Any]


class MatchedItem(EmbeddedItem):
    """An item with the catalog products that it resembles, best first."""

    matches: list[Match] = Field(default_factory=list)


class IndexedItem(EmbeddedItem):
    """An item of a catalog medium, with the id of its point in the vector store."""

    point_id: str


class Upload(_Model):
    """One announcement that a result answers; ``root`` is its ce_id."""

    root: str
    uri: str
    filename: str


class Vibe(_Model):
    """A mood that the analysis knows, and how sure it is that the medium has it."""

    id: str
    name: str
    confidence: Annotated[float, Field(ge=0, le=1)]


class MediaUploaded(Data):
    """A medium is in the blob store."""

    topic = "media.uploaded"

    content_hash: str
    uri: str
    filename: str
    producer: str
    announcement: Whole
    blob_key: str
    content_type: str
    kind: Kind
    size: Whole
    product: Product | None = None
    prompt: str | None = None


class FrameExtracted(Data):
    """One key frame, ready to be searched for items."""

    topic = "frames.extracted"

    frame: Frame
    prompt: str | None = None
    product: Product | None = None

    def key(self) -> str:
        return self.frame.frame_id


class MediaFramed(Data):
    """The complete list of a medium's frames, or why there are none.

    ``notes`` say what a reader should know (truncated, downscaled, unsupported phrases).
    """

    topic = "media.framed"

    filename: str
    content_hash: str
    kind: Kind
    duration_ms: Whole | None = None
    frames: list[Frame] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    reason: str | None = None
    cached: bool = False
    product: Product | None = None


class ItemsSegmented(Data):
    """All items found in one frame; may be empty."""

    topic = "items.segmented"

    frame: Frame
    items: list[Item] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    product: Product | None = None


class ItemsEmbedded(Data):
    """The same items with their vectors; ``embedder`` says whose."""

    topic = "items.embedded"

    frame: Frame
    embedder: str
    items: list[EmbeddedItem] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    product: Product | None = None


class ItemsMatched(Data):
    """The results topic: per item the best catalog products, or why there are none.

    ``reason`` is ``no_catalog`` where none is served; ``catalog`` names the collection searched.
    """

    topic = "items.matched"

    frame: Frame
    embedder: str
    items: list[MatchedItem] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    catalog: str | None = None
    reason: str | None = None


class ItemsIndexed(Data):
    """The points that the items of one catalog frame became."""

    topic = "items.indexed"

    frame: Frame
    embedder: str
    catalog: str
    items: list[IndexedItem] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    product: Product | None = None


class MediaAnalyzed(Data):
    """What a language model says of the medium, or why it says nothing."""

    topic = "media.analyzed"

    audio_transcription: str | None = None
    clothing_description: str = ""
    vibes: list[Vibe] = Field(default_factory=list)
    reason: str | None = None


class TaggedItem(Item):
    """An item of the whole result; a duplicate points at the earlier item that it repeats."""

    frame_id: str
    matches: list[Match] = Field(default_factory=list)
    duplicate_of: str | None = None


class TaggedPoint(_Model):
    """A catalog item and the point it became."""

    item_id: str
    point_id: str
    frame_id: str
    label: str
    category: str
    box: Box
    crop_key: str


class MediaTagged(Data):
    """The whole result of one medium. Keep the highest ``revision``.

    ``missing`` lists what a partial result waits for, ``failures`` why frames were given up.
    ``uploads`` names the newest 100 of all ``upload_count`` that it answers (0 in results of older
    versions, which name all of them). A catalog medium has ``points`` instead of items.
    """

    topic = "media.tagged"

    revision: Whole
    status: Status
    reason: str | None = None
    filename: str = ""
    content_hash: str = ""
    kind: Kind | None = None
    duration_ms: Whole | None = None
    cached: bool = False
    uploads: list[Upload] = Field(default_factory=list)
    upload_count: int = 0
    frames: list[Frame] = Field(default_factory=list)
    items: list[TaggedItem] = Field(default_factory=list)
    points: list[TaggedPoint] = Field(default_factory=list)
    product: Product | None = None
    analysis: MediaAnalyzed | None = None
    embedder: str | None = None
    catalog: str | None = None
    match_reason: str | None = None
    notes: list[str] = Field(default_factory=list)
    failures: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    result_key: str = ""
    pipeline: str = ""


class DeadLetter(Data):
    """An event that was given up; the record's value is the original's, byte for byte.

    Attributes:
        stage: who gave it up, after how many ``attempts``.
        error: class of the error; ``reason`` its words for a person.
        origin_topic, origin_partition, origin_offset, origin_key: where the original stands.
        origin_headers: the original's headers, JSON; what is no text in them is written out.
        origin_subject: the medium that the original is about, None where it names none.
        origin_bytes: headers whose bytes are no UTF-8, as they were: base64. The key is ``""``.
        origin_blob: blob key of the whole original, where it does not fit into a record.
    """

    topic = "dead.letters"

    stage: str
    error: str
    reason: str
    attempts: Whole
    origin_topic: str
    origin_partition: Whole
    origin_offset: Whole
    origin_key: str | None = None
    origin_headers: dict[str, str] = Field(default_factory=dict)
    origin_subject: str | None = None
    origin_bytes: dict[str, str] = Field(default_factory=dict)
    origin_blob: str | None = None


MODELS: tuple[type[Data], ...] = (
    MediaUploaded,
    FrameExtracted,
    MediaFramed,
    ItemsSegmented,
    ItemsEmbedded,
    ItemsMatched,
    ItemsIndexed,
    MediaAnalyzed,
    MediaTagged,
)
TOPICS: tuple[str, ...] = (*(model.topic for model in MODELS), DeadLetter.topic)


def encode_vector(vector: npt.NDArray[np.float32]) -> bytes:
    """The bytes of one ``(dim,) float32`` vector as :class:`EmbeddedItem` carries them."""
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes())

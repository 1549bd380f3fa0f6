"""What a subscriber must know that no schema can say: prose of the AsyncAPI document."""

from __future__ import annotations

from dataclasses import dataclass

from core.claimcheck import INLINE_LIMIT, REFERRED_LIMIT

RESULTS, PIPELINE, OPERATIONS = "results", "pipeline", "operations"
TAGS = {
    RESULTS: "What was found: for everybody.",
    PIPELINE: "What the stages tell each other; also open to be read.",
    OPERATIONS: "What went wrong, for operators.",
}

INFO = f"""\
What the engine says about the media that it tags. Whoever wants results reads `items.matched`
(frame by frame, as soon as they are there) and `media.tagged` (the whole of one medium).

## How to read
- **Envelope.** Events are CloudEvents 1.0. The engine writes *binary mode*: attributes are record
  headers (`ce_id`, `ce_type`, ...), the value is the data, JSON in UTF-8. A record whose header
  `content-type` begins with `application/cloudevents+json` is in *structured mode*, as some senders
  and bridges write it: its value is one JSON object with the same attributes, named without `ce_`,
  and the data as its member `data`.
- **At least once.** The same event may come more than once, also after later ones: drop what has a
  `ce_id` that you have handled. Records of one key are in order, others are not.
- **Newer replaces older.** Of `media.tagged` keep the highest `revision` of a `media_id`. Of all
  events about a frame the newest replaces the others: it lists *all* items of that frame.
- **Large data.** Data of more than {INLINE_LIMIT} bytes does not travel: the value is empty (in
  structured mode there is no `data`) and the attribute `dataref` says where it is. Resolve it
  against the URL of the server `objects` (bucket included) and GET it: the body is the data, as
  it would have stood in the value. Do so before you validate. It is always `data/TOPIC/HASH.json`,
  where HASH is the SHA-256 of the body in hex, of at most {REFERRED_LIMIT} bytes: fetch nothing
  else, whoever wrote the record.
- **Objects.** Fields that end in `_key` name objects in the same place: originals, frames, crops,
  masks, results.
- **Vectors** are base64 of little-endian float32, L2-normalised; vectors of one `embedder` compare
  by their dot product, those of different ones do not.
- **Growth.** Fields are only ever added: ignore those that you don't know. A field with a default
  may be missing, in older events. A change that would break you has a new major version in
  `ce_type` (`.v2`): stop there and upgrade; to skip it is to lose it.
- **How long.** Records are kept without limit unless the operator sets one. `media.tagged` is
  compacted: the newest result of each medium stays. A record without a value (null, not empty) is
  a tombstone: what was published under its key is void. Start from the earliest offset.
- **Replays.** Work that is done again (newer models, a new catalog) is announced again: under the
  same `ce_id` if it came out the same, under a new one if not. Such events carry `ce_replay`.

## How to write
Only `media.uploaded` is open to other writers. PUT the original into the store first, then publish.
The record's key, `ce_subject` and `media_id` are the media id: the first 32 hex digits of the
SHA-256 over the JSON array `[content_hash, purpose, product id or null, prompt or null]`, a space
after each comma, all but ASCII escaped as `\\uXXXX`. `ce_root` equals `ce_id`, which is the same
when you publish the same announcement again.
"""

BROKER = """\
The event log, Apache Kafka. Batches are compressed with {compression}, or with what the operator
chose instead (zstd, or none): your client must be able to read that. Encryption and log-in (`SSL`,
`SASL_SSL` with PLAIN or SCRAM) are the deployment's, too; ask its operator."""

OBJECTS = """\
The blob store, an S3 server. Addresses are path-style: an object is at this URL, a slash, and its
key. Objects are private unless the operator opened the prefix `data/` to anonymous readers: sign
the GET (AWS Signature Version 4) with an access key that may `s3:GetObject` in the bucket."""


@dataclass(frozen=True, slots=True)
class Words:
    """Of one topic: who makes and reads it, for whom it is, and what else to know."""

    made_by: str
    read_by: str
    tag: str = PIPELINE
    advice: str = ""


TOPICS = {
    "media.uploaded": Words(
        "producers, and clients of their own make",
        "`frames`, `analyze`, `results`",
        advice="The original must be in the store under `blob_key` before this is published.",
    ),
    "frames.extracted": Words(
        "`frames`",
        "`segment`",
        advice="A picture is its own single frame. Keyed by frame, so that one long video spreads"
        " over many hosts.",
    ),
    "media.framed": Words("`frames`", "`results`"),
    "items.segmented": Words("`segment`", "`embed`"),
    "items.embedded": Words("`embed`", "`match`, `index`"),
    "items.matched": Words(
        "`match`, for media of purpose `query`",
        "`results`, you",
        RESULTS,
        "One event a frame; the newest of a `frame.frame_id` replaces the others.",
    ),
    "items.indexed": Words("`index`, for media of purpose `catalog`", "`results`, you", RESULTS),
    "media.analyzed": Words("`analyze`", "`results`"),
    "media.tagged": Words(
        "`results`",
        "the gateway, you",
        RESULTS,
        "Every upload ends in a revision that names it in `uploads` (of very many, the newest 100;"
        " `upload_count` counts all); a `partial` one is followed by another as soon as what is"
        " `missing` arrives.",
    ),
    "dead.letters": Words(
        "any stage",
        "`results`, operators",
        OPERATIONS,
        "The value is the original's, byte for byte, in the original's media type; what the letter"
        " itself says is JSON in the header `dead_letter`.",
    ),
}

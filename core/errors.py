"""The one tree of errors. Its branches decide what the runtime does; its messages say what to do.

``PermanentError``   the event is at fault: dead-letter it now, go on with its neighbours.
``TransientError``   the event may succeed on another try: retry, dead-letter after the last.
``OutageError``      a dependency is away: pause the stage, try again for as long as it takes;
                     costs the event no attempt.
``StageStopError``   no event is to blame, and no retry mends it: stop the stage and say why;
                     costs the event no attempt.
``AbandonedError``   this process does not finish the event: drop the work, its offset stays, and
                     whoever owns its partition next does it; costs the event no attempt.

Whatever else an event's handling raises counts as an attempt of the event.
"""

from __future__ import annotations


class TaggingError(Exception):
    """Base of every error that this project raises on purpose."""


class PermanentError(TaggingError):
    """The event can never succeed; trying again would give the same error."""


class TransientError(TaggingError):
    """This attempt failed; the next one may not."""


class OutageError(TaggingError):
    """A dependency (log, store, disk space, remote service) is not available right now."""


class StageStopError(TaggingError):
    """The stage must not go on as it is; nothing is lost by stopping it."""


class AbandonedError(TaggingError):
    """The work is left to whoever owns its partition next; nothing is lost."""


class SchemaError(PermanentError):
    """An event's envelope or data does not follow its schema; the sender must correct it."""


class NewerEventError(StageStopError):
    """An event of a newer major version arrived; upgrade this stage, its offset stays, or step
    over the event."""


class UndecodableError(PermanentError):
    """The bytes are not a picture or video that the decoders read; send another file."""


class LimitExceededError(PermanentError):
    """The medium is larger than a configured limit; shrink it or raise the named setting."""


class DoesNotFitError(TransientError):
    """One file needs more room than a disk has; free as much as is missing, or shrink it."""


class TimeLimitError(LimitExceededError):
    """Decoding this medium takes longer than it may; shorten it or raise the named setting."""


class DecoderDiedError(PermanentError):
    """Two child processes that decoded this medium crashed, ran out of memory, or stood still."""


class BlobMissingError(PermanentError):
    """A blob that an event points at is gone; submit the medium again."""


class InvalidKeyError(PermanentError):
    """A blob or state key is empty, absolute, or climbs out of its store."""


class EmbedderMismatchError(StageStopError):
    """Vectors of one embedder were about to meet a collection of another; rebuild it."""


class CollectionMissingError(OutageError):
    """A vector collection is not there (any more); it is waited for, since it may be rebuilt."""


class OwnershipLostError(AbandonedError):
    """The group's partitions belong to somebody else now; drop the work, they will redo it."""


class StoppingError(AbandonedError):
    """The stage was asked to stop while it waited for another try."""


class BusyError(StageStopError):
    """Another process holds what only one may hold; the message names it."""


class FormatError(StageStopError):
    """The data folder was written by a newer version; upgrade, or name another folder."""


class SettingsError(StageStopError):
    """A setting is missing or contradicts another; the message names it."""

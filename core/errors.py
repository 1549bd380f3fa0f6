"""The one tree of errors. Its branches decide what the runtime does; its messages say what to do.

``PermanentError``   the event is at fault: dead-letter it now, go on with its neighbours.
``TransientError``   the event may succeed on another try: retry, dead-letter after the last.
``OutageError``      a dependency is away: pause the stage, try again for as long as it takes;
                     costs the event no attempt.
``StageStopError``   nobody's fault that a retry would mend: stop the stage and say why.
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


class SchemaError(PermanentError):
    """An event's envelope or data does not follow its schema; the sender must correct it."""


class NewerEventError(StageStopError):
    """An event of a newer major version arrived; upgrade this stage, its offset stays."""


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


class OwnershipLostError(TaggingError):
    """The group's partitions belong to somebody else now; drop the work, they will redo it."""


class BusyError(TaggingError):
    """Another process holds what only one may hold; the message names it."""


class FormatError(TaggingError):
    """The data folder was written by a newer version; upgrade, or name another folder."""


class SettingsError(TaggingError):
    """A setting is missing or contradicts another; the message names it."""

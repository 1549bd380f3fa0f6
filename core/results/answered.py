"""The result that answers an announcement, although it names only the newest ones."""

from __future__ import annotations

from core.envelope import attributes_of
from core.events import MediaTagged, MediaUploaded
from core.log.partitioner import partition_of
from core.log.port import EventLog, TopicPartition
from core.ports import Ports
from core.results.parts import PartStore
from core.results.reading import result

READER = "results"
"""Group of the stage that notes uploads before it goes on behind them."""


async def answer(ports: Ports, media_id: str, root: str) -> MediaTagged | None:
    """The newest result of a medium, unless one that names this announcement is still to come.

    A result names the newest uploads and counts the others. So one that it does not name is
    either older than these, and answered long ago, or has not been met yet; only what was noted
    of uploads and the log together tell these apart.

    Args:
        root: of an announcement whose event is in the log.
    """
    tagged = await result(ports, media_id)
    if tagged is None or any(upload.root == root for upload in tagged.uploads):
        return tagged
    if tagged.upload_count <= len(tagged.uploads):
        return None  # it names all that were met
    # First the log, then the parts: what is read meanwhile is found in one of them.
    if await _unread(ports.log, media_id, root):
        return None
    parts = await PartStore(ports.state).parts(media_id)
    return None if root in parts.uploads and root in parts.named() else tagged


async def _unread(log: EventLog, media_id: str, root: str) -> bool:
    """Whether the upload stands in the log where the stage has not come to."""
    topics = [MediaUploaded.topic]
    start = await log.end_offsets(topics)
    here = TopicPartition(MediaUploaded.topic, partition_of(media_id, len(start)))
    done = (await log.committed(READER)).get(here, 0)
    start[here] = max(done, (await log.begin_offsets(topics))[here])
    async for record in log.tail(topics, start, follow=False):
        if attributes_of(record).get("root") == root:
            return True
    return False

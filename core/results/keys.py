"""Where the newest result of a medium lies: what is known of it in the state store, and its text
in the blob store."""

from __future__ import annotations

_LATEST = "result/"


def latest_key(media_id: str) -> str:
    """In the state store: which revision is the newest."""
    return _LATEST + media_id


def latest_prefix(begins: str = "") -> str:
    """In the state store: of every medium whose id ``begins`` so."""
    return _LATEST + begins


def media_of(latest: str) -> str:
    """The medium that a :func:`latest_key` is of."""
    return latest.removeprefix(_LATEST)


def result_key(media_id: str, pipeline: str) -> str:
    """In the blob store: the ``media.tagged`` by a pipeline; ``pipeline`` is empty where a medium
    was given up before it had one."""
    return f"results/{media_id}/{pipeline or 'none'}.json"

"""Pipelines as paths: which stages made an event, in which version of each.

A path is eight hex digits of each stage's version, joined by dots: ``FRAMES.SEGMENT.EMBED``. A
stage appends its own step to the path of the event that it handles; stages that change nothing of
a medium's frames, items or vectors append none. So what two pipelines share, and what came out of
what, are questions about prefixes.

What was written before there were paths carries 12 hex digits without a dot. It is handed on as it
is, and shares nothing with any path.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_OLD = re.compile(r"[0-9a-f]{12}\Z")
_DIGITS = 8


def step(version: str) -> str:
    """What a stage of this version appends; nothing for the empty version."""
    return hashlib.sha256(version.encode()).hexdigest()[:_DIGITS] if version else ""


def path(versions: Sequence[str]) -> str:
    """The path through stages of these versions."""
    return ".".join(step(version) for version in versions)


def extended(parent: str, own: str) -> str:
    """The path of what a stage makes of an event of ``parent``, by its own step."""
    if not own or _OLD.match(parent):
        return parent
    return f"{parent}.{own}" if parent else own


def leads_to(upstream: str, downstream: str) -> bool:
    """Whether what has the second path was made of what has the first, or has the same."""
    return downstream == upstream or downstream.startswith(f"{upstream}.")


def first(path: str, steps: int) -> str:
    """The path's first ``steps`` steps."""
    return ".".join(path.split(".")[:steps])

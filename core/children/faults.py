"""Errors as data: which ones a child may hand to its parent, and how they are raised there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import core.errors
from core.children.frames import NonsenseError, is_count

_WORDS = 10_000


class ExhaustedError(Exception):
    """The child has no memory left for what was asked; what it did has cost it too much already,
    so it is to be replaced."""


_TREE = [
    kind
    for kind in vars(core.errors).values()
    if isinstance(kind, type) and issubclass(kind, core.errors.TaggingError)
]
_KINDS: dict[str, type[Exception]] = {
    kind.__name__: kind for kind in (*_TREE, ValueError, RuntimeError, ExhaustedError)
}
"""OSError is the one that is not here, because it brings its number."""


def to_data(error: Exception) -> dict[str, Any]:
    """The error's nearest class that a parent may be handed, RuntimeError if there is none, and its
    message."""
    if isinstance(error, OSError) and error.errno is not None:
        file = None if error.filename is None else str(error.filename)
        return {"error": "OSError", "errno": error.errno, "message": error.strerror, "file": file}
    for kind in type(error).__mro__:
        if _KINDS.get(kind.__name__) is kind:
            return {"error": kind.__name__, "message": str(error)[:_WORDS]}
    return {"error": "RuntimeError", "message": f"{type(error).__name__}: {error}"[:_WORDS]}


def from_data(data: Mapping[str, Any]) -> Exception:
    """Raises NonsenseError for what :func:`to_data` does not make."""
    name, message = data.get("error"), data.get("message")
    if name == "OSError":
        number, file = data.get("errno"), data.get("file")
        if is_count(number) and isinstance(message, str | None) and isinstance(file, str | None):
            return OSError(number, message or "", file)
    elif isinstance(name, str) and name in _KINDS and isinstance(message, str):
        return _KINDS[name](message)
    raise NonsenseError(f"an error called {str(name)[:100]!r}")

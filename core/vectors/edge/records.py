"""What a folder of collections says of itself: a spec for each collection, and which of them serve.

A record that cannot be read stops nothing but what it is about. A collection without a readable
spec is set aside under a name of its own, where a person can restore it; where the pointer is
damaged, each catalog serves its newest generation. Records of a newer version are another matter:
whoever wrote them knows more than we do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.errors import FormatError
from core.files.durable import replace_file
from core.vectors.edge.wire import Spec

SPEC = "spec.json"
SERVING = "serving.json"
ASIDE = ".damaged"
"""What the name of something that was set aside ends with."""

_FORMAT = 1
_GENERATION = re.compile(r"(?P<alias>.+)__g(?P<number>\d+)\Z")


class _DamagedError(Exception):
    """A record that nobody wrote like this."""


def specs_of(home: Path, *, set_aside: bool) -> dict[str, Spec]:
    """The collections below ``home``, by name.

    Args:
        set_aside: renames folders whose spec is damaged; only their owner may.

    Raises:
        FormatError: a newer version wrote one.
        OSError: the folder cannot be read, or nothing set aside.
    """
    found = {}
    for path in sorted(home.glob(f"*/{SPEC}")):
        if path.parent.name.endswith(ASIDE):
            continue
        try:
            found[path.parent.name] = _spec(path)
        except _DamagedError:
            if set_aside:
                _rename_aside(path.parent)
    return found


def serving_of(file: Path, names: Iterable[str], *, set_aside: bool) -> dict[str, str]:
    """What each alias points at; where that cannot be read, its newest generation of ``names``."""
    if not file.exists():
        return {}
    try:
        words = _read(file)
        if not all(isinstance(at, str) for at in words.values()):
            raise _DamagedError
    except _DamagedError:
        if set_aside:
            _rename_aside(file)
        return _newest(names)
    return words


def damaged(folder: Path) -> list[Path]:
    """What was set aside in a folder of collections."""
    return sorted([*folder.glob(f"*{ASIDE}"), *folder.glob(f"collections/*{ASIDE}")])


def write_spec(path: Path, spec: Spec) -> None:
    words = json.dumps({"format": _FORMAT, **spec._asdict()}, indent=2)
    replace_file(path, words.encode())


def write_serving(file: Path, serving: dict[str, str]) -> None:
    replace_file(file, json.dumps(serving, indent=2).encode())


def _newest(names: Iterable[str]) -> dict[str, str]:
    newest: dict[str, tuple[int, str]] = {}
    for name in names:
        if match := _GENERATION.match(name):
            generation = (int(match["number"]), name)
            newest[match["alias"]] = max(newest.get(match["alias"], generation), generation)
    return {alias: name for alias, (_, name) in newest.items()}


def _spec(path: Path) -> Spec:
    words = _read(path)
    version = words.pop("format", None)
    if not isinstance(version, int):
        raise _DamagedError
    if version != _FORMAT:
        raise FormatError(f"{path} is of a newer version: upgrade, or name another folder")
    try:
        spec = Spec(**{**words, "indexed": tuple(words["indexed"])})
    except (KeyError, TypeError) as error:
        raise _DamagedError from error
    texts = (spec.name, spec.embedder, *spec.indexed)
    sound = isinstance(spec.dim, int) and all(isinstance(text, str) for text in texts)
    if not sound or spec.name != path.parent.name:
        raise _DamagedError
    return spec


def _read(path: Path) -> dict[str, Any]:
    try:
        words = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _DamagedError from error
    if not isinstance(words, dict):
        raise _DamagedError
    return words


def _rename_aside(path: Path) -> None:
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}-{number}{ASIDE}")
        if not aside.exists():
            path.rename(aside)
            return
    raise FormatError(f"{path} is damaged, and so were a thousand before it: look at the disk")

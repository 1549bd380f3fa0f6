"""Reads what the engine's process answers; anything of another shape is nonsense."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.children.frames import Answer, is_count
from core.vectors.edge.wire import rows
from core.vectors.port import CollectionSpec, Hit, Point


def nothing(answer: Answer) -> None:
    if answer.value is not None or answer.buffers:
        raise ValueError("something where nothing was asked for")


def specs(answer: Answer) -> list[CollectionSpec]:
    return [
        CollectionSpec(_text(name), _text(embedder), _count(dim), tuple(map(_text, indexed)))
        for name, embedder, dim, indexed in answer.value
    ]


def hits(answer: Answer) -> list[list[Hit]]:
    return [[_hit(*each) for each in row] for row in answer.value]


def page(answer: Answer) -> tuple[list[Point], str | None]:
    ids, payloads, rest = (answer.value[name] for name in ("ids", "payloads", "rest"))
    [vectors] = answer.buffers
    points = [
        Point(_text(point), np.frombuffer(vector, dtype=np.float32), _payload(payload))
        for point, vector, payload in zip(ids, rows(vectors, len(ids)), payloads, strict=True)
    ]
    return points, None if rest is None else _text(rest)


def counts(answer: Answer) -> dict[str, int]:
    return {value: _count(number) for value, number in _payload(answer.value).items()}


def count(answer: Answer) -> int:
    return _count(answer.value)


def name(answer: Answer) -> str | None:
    return None if answer.value is None else _text(answer.value)


def _hit(point: Any, score: Any, payload: Any) -> Hit:
    if not isinstance(score, float):
        raise TypeError("a score that is no number")
    return Hit(_text(point), score, _payload(payload))


def _payload(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _count(value: Any) -> int:
    if not is_count(value):
        raise ValueError("not a whole number from 0")
    number: int = value
    return number

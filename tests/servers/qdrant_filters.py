"""Filters of Qdrant's REST API as its engine takes them; of the kinds that our adapter uses."""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge
from qdrant_client import models


def edge_filter(where: models.Filter | None) -> edge.Filter:
    """None is everything. Raises ValueError for a condition of another kind, rather than leave it
    out."""
    if where is None:
        return edge.Filter()
    if where.should or where.min_should:
        raise ValueError("the stand-in knows no 'should'")
    return edge.Filter(must=_conditions(where.must), must_not=_conditions(where.must_not))


def _conditions(conditions: Any) -> list[Any]:
    if conditions is None:
        return []
    return [
        _condition(one) for one in (conditions if isinstance(conditions, list) else [conditions])
    ]


def _condition(condition: Any) -> Any:
    if isinstance(condition, models.HasIdCondition):
        return edge.HasIdCondition(set(condition.has_id))
    if isinstance(condition, models.FieldCondition) and isinstance(
        condition.match, models.MatchAny
    ):
        return edge.FieldCondition(condition.key, match=edge.MatchAny(list(condition.match.any)))
    raise ValueError(f"the stand-in knows no condition like {condition!r}")

"""The pipelines of events that still wait for a stage."""

from __future__ import annotations

from collections import Counter

from core.envelope import attributes_of
from core.log.port import EventLog
from core.paths import leads_to
from infra.wiring.recipes import Recipe, Recipes

_LOOKED_AT = 1000


async def foreign_paths(log: EventLog, recipes: Recipes, today: str) -> Counter[str]:
    """Paths that ``today``'s settings do not make, with the number of events that carry them;
    looked for in the oldest thousand events that wait in each partition of each stage."""
    found: Counter[str] = Counter()
    for recipe in recipes:
        found.update([path for path in await _waiting(log, recipe) if not leads_to(path, today)])
    return found


async def _waiting(log: EventLog, recipe: Recipe) -> list[str]:
    done, end = await log.committed(recipe.name), await log.end_offsets(recipe.topics)
    paths = []
    for tp, waiting in (await log.lag(recipe.name, recipe.topics)).items():
        if not waiting:
            continue
        start = {**end, tp: done.get(tp, 0)}
        looked_at = 0
        async for record in log.tail([tp.topic], start, follow=False):
            if path := attributes_of(record).get("pipeline"):
                paths.append(path)
            looked_at += 1
            if looked_at == _LOOKED_AT:
                break
    return paths

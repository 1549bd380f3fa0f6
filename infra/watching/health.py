"""How everything stands, seen from outside of the engine, and what to do about what is wrong."""

from __future__ import annotations

import asyncio
import math
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from core.errors import FormatError, SettingsError, TaggingError
from core.events import TOPICS
from core.files.space import space
from core.log.port import EventLog
from core.media.probe import READ
from core.ports import Ports
from core.runtime.deadletters import letters
from core.runtime.halts import halts
from core.settings import Settings
from core.state.unreadable import unreadable
from core.unread import Unread
from core.vision.port import Profile
from infra.running.engine import engine_process
from infra.watching.in_flight import foreign_paths
from infra.wiring.adapters import (
    forgotten_after_s,
    open_log,
    open_ports,
    open_s3,
    refuse_split,
    serving_catalog,
)
from infra.wiring.recipes import Recipe, Recipes
from infra.wiring.stages import RECIPES, pipeline
from infra.wiring.vision import choose_profile
from producers.left_out import in_words, left_out

Level = Literal["ok", "degraded", "down"]

_SCARCE_BYTES = 1 << 30
_NO_ROOM_BYTES = 64 << 20
_SCARCE_NODES = 1000
_CLOCKS_DIFFER_MS = 60_000
_OTHER_PROFILE = "follow that advice, or choose another TAGGER_VISION__PROFILE"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        level: ``degraded`` if something is missing or late, ``down`` if nothing can be tagged.
        next: the command to run, or what else to do; None where all is well.
    """

    name: str
    level: Level
    detail: str
    next: str | None = None


def worst(checks: list[Check]) -> Level:
    """The level of the whole."""
    levels = {check.level for check in checks}
    return "down" if "down" in levels else "degraded" if "degraded" in levels else "ok"


async def examine(settings: Settings, recipes: Recipes = RECIPES) -> list[Check]:
    """All checks; what cannot be looked into for want of another is left out."""
    vision, profile = _vision(settings)
    today = pipeline(settings, profile) if profile is not None else None
    checks = [_data_folder(settings), vision]
    alone = not settings.clustered
    if alone and not await asyncio.to_thread((settings.data_dir / "engine.db").exists):
        return checks
    engine = engine_process(settings) if alone else None
    if alone:
        checks.append(_engine(engine))
    log_checks, stores = await asyncio.gather(
        _log(settings, recipes, bool(engine), today), _stores(settings)
    )
    checks += [*log_checks, *stores]
    if all(check.level != "down" for check in (*log_checks, *stores)):
        async with open_ports(settings) as ports:
            checks += [await _dead_letters(ports), *await _left_out(ports)]
            checks.append(await _stored_values(ports))
            checks += await _halts(ports, recipes)
    checks.append(await _catalog(settings, profile))
    return checks


async def _log(
    settings: Settings, recipes: Recipes, running: bool, today: str | None
) -> list[Check]:
    """The log, its topics, every stage's backlog, and what is in flight of other versions than
    ``today``'s path."""
    try:
        async with open_log(settings, "tagger-health") as log:
            missing = sorted(set(TOPICS) - set(await log.topics()))
            if missing:
                detail = f"topics are missing: {', '.join(missing)}"
                return [Check("event log", "down", detail, "tagger topics create")]
            stages = [await _stage(settings, log, recipe, running) for recipe in recipes]
            checks = [Check("event log", "ok", await _memory(log)), *await _clock(log), *stages]
            if today is not None:
                checks.append(await _pipeline(log, recipes, today))
            return checks
    except FormatError as error:
        return [Check("event log", "down", str(error), "upgrade tagging-engine")]
    except TaggingError as error:
        advice = "see to the brokers" if settings.clustered else "see to the disk it is on"
        return [Check("event log", "down", str(error), advice)]


async def _memory(log: EventLog) -> str:
    forgotten = await forgotten_after_s(log)
    if forgotten is None:
        return "opens"
    days = forgotten / 86_400
    return (
        f"opens; a stage that stands still for {days:g} days starts over: offsets.retention.minutes"
    )


async def _stores(settings: Settings) -> list[Check]:
    """State and blobs, where a server has them; a folder's are covered by the folder's check."""
    try:
        refuse_split(settings)
    except SettingsError as error:
        return [Check("state", "down", str(error), "set S3_ENDPOINT")]
    if not settings.s3.endpoint:
        return []
    connection = open_s3(settings)
    try:
        await connection.ensure_bucket(settings.s3.bucket)
    except TaggingError as error:
        return [Check("blob store", "down", str(error), "see to the S3 server")]
    finally:
        await connection.close()
    return [Check("blob store", "ok", f"bucket {settings.s3.bucket} at {settings.s3.endpoint}")]


def _data_folder(settings: Settings) -> Check:
    name, folder = "data folder", settings.data_dir
    if not folder.exists():
        return Check(name, "degraded", f"{folder} is not there yet", "tagger run --watch DIR")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, "down", f"{folder} is not writable", f"chmod u+wx {folder}")
    disk = space(folder)
    free, detail = disk.free, f"{folder}, {disk.free / (1 << 30):.1f} GiB free"
    if disk.nodes is not None and disk.nodes < _SCARCE_NODES:
        level: Level = "degraded" if disk.nodes else "down"
        detail += f", {disk.nodes} inodes left"
        return Check(name, level, detail, "remove files from its disk, or give it more inodes")
    if free < _NO_ROOM_BYTES:
        return Check(name, "down", detail, "make room on its disk: everything waits for it")
    if free < _SCARCE_BYTES:
        return Check(name, "degraded", detail, "make room on its disk")
    return Check(name, "ok", detail)


def _vision(settings: Settings) -> tuple[Check, Profile | None]:
    """The check, and the profile if there is one."""
    try:
        profile = choose_profile(settings)
    except SettingsError as error:
        return Check("vision", "down", str(error), _OTHER_PROFILE), None
    embedder, limits = profile.embedder.version, "; ".join(profile.limits)
    return Check("vision", "ok", f"{profile.name} ({embedder}); limits: {limits}"), profile


def _engine(process: str | None) -> Check:
    if process is None:
        return Check("engine", "degraded", "not running", "tagger run --watch DIR")
    return Check("engine", "ok", f"process {process}")


async def _stage(settings: Settings, log: EventLog, recipe: Recipe, running: bool) -> Check:
    """A backlog is work, not trouble; an event that waits very long is."""
    name = f"stage {recipe.name}"
    waiting = sum((await log.lag(recipe.name, recipe.topics)).values())
    if not waiting:
        return Check(name, "ok", "nothing waits")
    age = await _oldest(log, recipe)
    if age < 0:
        detail = f"events waiting: {waiting}, said at a time that is still to come on this clock"
        return Check(name, "ok", detail)
    detail = f"events waiting: {waiting}, the oldest for {age:.0f} s"
    if age < settings.runtime.partial_after_s:
        return Check(name, "ok", detail)
    if settings.clustered:
        advice = f"tagger consume {recipe.name}, or look at the logs of those that run"
    else:
        advice = "look at what `tagger run` says" if running else "tagger run"
    return Check(name, "degraded", detail, advice)


async def _pipeline(log: EventLog, recipes: Recipes, today: str) -> Check:
    """No trouble: what was begun under other settings is finished under them."""
    foreign = await foreign_paths(log, recipes, today)
    if not foreign:
        return Check("pipeline", "ok", today)
    counts = ", ".join(f"{path} ({count} events)" for path, count in foreign.most_common())
    return Check("pipeline", "ok", f"{today}; still in flight, and finished as begun: {counts}")


async def _oldest(log: EventLog, recipe: Recipe) -> float:
    """Seconds since the oldest event that the stage has not done was said; below 0 where this
    clock is behind the one it was said by, by more than clocks differ."""
    done, end = await log.committed(recipe.name), await log.end_offsets(recipe.topics)
    now, oldest = time.time() * 1000, math.inf
    for tp, waiting in (await log.lag(recipe.name, recipe.topics)).items():
        if waiting:
            start = {**end, tp: done.get(tp, 0)}
            async for record in log.tail([tp.topic], start, follow=False):
                oldest = min(oldest, record.timestamp)
                break
    if oldest == math.inf:  # done meanwhile
        return 0.0
    age_ms = now - oldest
    return age_ms / 1000 if age_ms < -_CLOCKS_DIFFER_MS else max(0.0, age_ms / 1000)


async def _clock(log: EventLog) -> list[Check]:
    """Nothing, unless the log knows of later times than this host does."""
    now = time.time() * 1000
    ahead = 0.0
    for topic in TOPICS:
        end = await log.end_offsets([topic])
        later = await log.offsets_at(topic, int(now + _CLOCKS_DIFFER_MS))
        for tp, offset in later.items():
            if offset < end.get(tp, 0):
                async for record in log.tail([topic], {**end, tp: offset}, follow=False):
                    ahead = max(ahead, record.timestamp - now)
                    break
    if not ahead:
        return []
    at = datetime.fromtimestamp((now + ahead) / 1000, UTC).isoformat(timespec="seconds")
    detail = (
        f"events were said at {at}, {ahead / 1000:.0f} s ahead of this host: its clock went back, "
        "or another host's is wrong; until then ages are not known, and nothing grows too old"
    )
    return [Check("clock", "degraded", detail, "set the clocks, as NTP does")]


async def _left_out(ports: Ports) -> list[Check]:
    """Watched places with files of kinds that are not read, as their last listings found them."""
    checks = []
    try:
        places = await left_out(ports.state)
    except FormatError as error:
        return [Check("watched", "degraded", str(error), "watch the folder again")]
    for place in places:
        where, counts = place.place.removeprefix("file://"), in_words(place.ignored)
        if not place.ignored:
            continue
        if place.seen:
            checks.append(Check("watched", "ok", f"{where}: not read: {counts}"))
        else:
            read = f"read are {READ['picture']}, and {READ['video']}"
            detail = f"nothing in {where} is read here: {counts}"
            checks.append(Check("watched", "degraded", detail, read))
    return checks


async def _dead_letters(ports: Ports) -> Check:
    unread = Unread()
    count = len(await letters(ports.log, ports.state, unread=unread))
    found = [f"{count} events were given up"] if count else []
    if unread.words:
        found.append(unread.words)
    if not found:
        return Check("dead letters", "ok", "none")
    advice = "tagger dlq list" if count else "tagger topics tail dead.letters"
    return Check("dead letters", "degraded", "; ".join(found), advice)


async def _halts(ports: Ports, recipes: Recipes) -> list[Check]:
    """Events that no waiting and no retry gets a stage past."""
    found = [h for recipe in recipes for h in await halts(ports.log, ports.state, recipe.stage)]
    return [
        Check(
            f"stage {halt.stage}",
            "down",
            f"stops at {halt.record.place}: type '{halt.kind}' is newer than this build",
            f"upgrade, or step over it: tagger dlq bury {halt.record.place}",
        )
        for halt in found
    ]


async def _stored_values(ports: Ports) -> Check:
    """Those that somebody came upon; nobody reads all of them."""
    count = len(await unreadable(ports.state))
    if not count:
        return Check("stored values", "ok", "none was found unreadable")
    detail = f"values that cannot be read: {count}; the engine goes on without them"
    return Check("stored values", "degraded", detail, "tagger state list")


async def _catalog(settings: Settings, profile: Profile | None) -> Check:
    """``profile`` is what queries are made with, None if that is unknown."""
    present = profile.embedder.version if profile is not None else None
    try:
        catalog = await serving_catalog(settings)
    except FormatError as error:
        return Check("catalog", "down", str(error), "upgrade tagging-engine")
    except TaggingError as error:
        return Check("catalog", "down", str(error), "see to the Qdrant server")
    if catalog.collection is None:
        return Check(
            "catalog", "degraded", f"no catalog {settings.catalog} yet", "tagger catalog add DIR"
        )
    if present is not None and catalog.embedder != present:
        detail = f"{catalog.collection} is of {catalog.embedder}, the present model is {present}"
        return Check("catalog", "degraded", detail, "tagger catalog add DIR --data-dir NEW")
    return Check("catalog", "ok", f"{catalog.collection} serves")

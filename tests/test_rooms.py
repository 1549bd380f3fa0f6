"""House rules that a tool can check: who imports whom, how long files are, whose names we use."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.profiles import PROFILES

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "consumers", "producers", "catalog", "infra")
MAY_IMPORT = {
    "core": {"core"},
    "consumers": {"consumers", "core"},
    "producers": {"producers", "core"},
    "catalog": {"catalog", "core"},
    "infra": set(ROOMS),
}
ADAPTERS = (
    *("core.log.sqlite", "core.state.sqlite", "core.blobs.folder", "core.vectors.edge"),
    *("core.log.kafka", "core.state.s3", "core.blobs.s3", "core.vectors.server"),
    *("core.vision.lite", "core.vision.full"),
)
FLOORS = (
    {"addresses", "errors", "telemetry", "profiles"},
    {"bounds", "ids", "paths", "events", "settings", "files", "s3"},
    {"children", "database"},
    {"log", "state", "blobs", "vectors", "vision", "media"},
    {"envelope", "tracing", "ports"},
    {"claimcheck"},
    {"unread"},
    {"runtime"},
    {"results", "intake"},
)
"""The rooms of ``core``, lowest first; a room may import those below its floor, and itself."""
KEYS = {
    "attempts/": {"core.runtime.crashguard"},
    "crops/": {"core.blobs.keys"},
    "data/": {"core.blobs.keys"},
    "frames/": {"core.blobs.keys", "core.results.parts"},  # the pictures, and the lists of them
    "ledger/": {"core.intake.announcements"},
    "media/": {"core.blobs.keys"},
    "open/": {"core.results.parts"},
    "part/": {"core.results.parts"},
    "redriven/": {"core.runtime.deadletters"},
    "result/": {"core.results.keys"},
    "results/": {"core.results.keys"},
    "running/": {"core.runtime.crashguard"},
    "stepped/": {"core.runtime.halts"},
    "unreadable/": {"core.state.unreadable"},
}
"""Who makes and reads which keys of the blob store and the state store; all others ask them."""


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The modules it imports; ``from package import module`` counts as the module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(path: Path) -> Iterator[str]:
    """The strings in it, of those with holes in them the pieces."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def room_of(module: str) -> str:
    """``log`` of ``core.log.port``."""
    return module.split(".")[1]


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room: str) -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(room)
        for name in imports(path)
        if (top := name.partition(".")[0]) in ROOMS and top not in MAY_IMPORT[room]
    ]

    assert upward == []


def test_every_room_of_core_has_one_floor() -> None:
    rooms = {room_of(module(path)) for path in sources("core")}
    placed = [room for floor in FLOORS for room in floor]

    assert sorted(placed) == sorted(set(placed))
    assert rooms - set(placed) == {"__init__"}


def test_imports_inside_core_point_down() -> None:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    level = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("core")
        for name in imports(path)
        if name.startswith("core.")
        and (here := room_of(module(path))) != (there := room_of(name))
        and floor[there] >= floor[here]
    ]

    assert level == []


def test_only_infra_picks_adapters() -> None:
    picked = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("core", "consumers", "producers", "catalog")
        for name in imports(path)
        if (adapter := next((a for a in ADAPTERS if name.startswith(a)), None))
        and not module(path).startswith(adapter)
    ]

    assert picked == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_vision_profile_is_named_by_its_room_and_the_registry_alone(profile: str) -> None:
    word = re.compile(rf"(?<![A-Za-z])[{profile[0].upper()}{profile[0]}]{profile[1:]}(?![a-z])")
    naming = [
        str(path.relative_to(ROOT))
        for path in sources(*ROOMS)
        if not module(path).startswith(f"core.vision.{profile}.") and word.search(path.read_text())
    ]

    assert naming == ["core/profiles.py"]


def test_no_file_is_over_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources(*ROOMS, "tests")
        if (lines := len(path.read_text().splitlines())) > 400
    }

    assert long == {}


def test_no_other_distribution_claims_our_top_level_names() -> None:
    claims = importlib.metadata.packages_distributions()

    assert {
        room: claims[room]
        for room in ROOMS
        if room in claims and set(claims[room]) != {"tagging-engine"}
    } == {}


def test_each_key_format_is_written_down_in_one_place() -> None:
    strangers = [
        f"{path.relative_to(ROOT)} writes {text!r}"
        for path in sources(*ROOMS)
        for text in texts(path)
        for prefix, owners in KEYS.items()
        if text.startswith(prefix) and module(path) not in owners
    ]

    assert strangers == []


def test_every_owner_of_a_key_format_writes_it_down() -> None:
    written = {module(path): set(texts(path)) for path in sources("core")}

    idle = [
        f"{owner} writes no {prefix}"
        for prefix, owners in KEYS.items()
        for owner in owners
        if not any(text.startswith(prefix) for text in written.get(owner, ()))
    ]

    assert idle == []

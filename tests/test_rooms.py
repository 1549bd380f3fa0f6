"""House rules that a tool can check: who imports whom, how long files are, whose names we use."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    *("core.log.sqlite.log", "core.state.sqlite", "core.blobs.folder", "core.vectors.edge.store"),
    *("core.log.kafka.log", "core.state.s3", "core.blobs.s3", "core.vectors.server.store"),
    "core.vision.lite",
)


def sources(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down(room: str) -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(room)
        for name in imports(path)
        if (top := name.partition(".")[0]) in ROOMS and top not in MAY_IMPORT[room]
    ]

    assert upward == []


def test_only_infra_picks_adapters() -> None:
    picked = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("consumers", "producers", "catalog")
        for name in imports(path)
        if name.startswith(ADAPTERS)
    ]

    assert picked == []


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

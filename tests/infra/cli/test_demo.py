from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.cli.test_processes import script


@pytest.mark.long
def test_the_demo_finds_and_matches_what_it_drew_and_leaves_only_its_page(tmp_path: Path) -> None:
    page = tmp_path / "page.html"

    ended = script("demo", "--report", page)

    assert ended.returncode == 0, ended.stderr
    assert "garments found and matched" in ended.stdout
    assert page.stat().st_size > 100_000
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]

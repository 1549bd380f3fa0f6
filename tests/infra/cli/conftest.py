from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from infra.cli import app
from tests.infra.running.standin_engine import engine_beside, write_product
from tests.vision_standin import png

Tagger = Callable[..., Result]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def tagger(data_dir: Path) -> Tagger:
    """Runs the command line on the test's own data folder."""
    return _on(data_dir)


@pytest.fixture
def beside(data_dir: Path) -> Iterator[None]:
    """An engine at work on the test's own data folder."""
    with engine_beside(data_dir):
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products, a look of three items and a broken picture, tagged; for reading only."""
    home = tmp_path_factory.mktemp("tagged")
    for number, paint in enumerate(("red", "green", "blue"), start=1):
        write_product(home / "catalog", number, paint)
    (home / "look.png").write_bytes(png("red", "blue", "black"))
    (home / "broken.jpg").write_bytes(b"no picture at all")
    tagger = _on(home / "data")
    with engine_beside(home / "data"):
        tagger("catalog", "add", home / "catalog")
        tagger("submit", home / "look.png", home / "broken.jpg", "--wait")
    return home / "data"


@pytest.fixture
def shared(shared_folder: Path) -> Tagger:
    """Runs the command line on the shared folder; what is read as a group needs its own name."""
    return _on(shared_folder)


@pytest.fixture
def copied(shared_folder: Path, data_dir: Path) -> Path:
    """The test's own data folder begins as the shared one, without its vectors."""
    shutil.copytree(shared_folder, data_dir, ignore=shutil.ignore_patterns("*.fifo", "vectors"))
    return data_dir


def lines(result: Result) -> list[dict[str, Any]]:
    """What a command printed as JSON lines."""
    return [json.loads(line) for line in result.stdout.splitlines()]


def _on(data_dir: Path) -> Tagger:
    def run(*arguments: object) -> Result:
        words = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, [*words, "--data-dir", str(data_dir)])

    return run

"""What the engine's process makes of the store's calls, and of the engine's errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from core.children.served import Service
from core.errors import CollectionMissingError, FormatError, OutageError
from core.vectors.edge.child import EngineService, open_service
from core.vectors.edge.engine import Engine

_ROWS = np.eye(4, dtype=np.float32)[:2]
_IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2)]
_ALL = [{}, {}]


class _Broken:
    """An engine whose files are gone."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def sync(self) -> None:
        raise self._error


@pytest.fixture
def service(tmp_path: Path) -> Service:
    service = open_service(str(tmp_path))
    service.handlers["create"]({"spec": ["items", "one", 4, []]}, [])
    return service


def test_vectors_come_and_go_as_one_buffer(service: Service) -> None:
    asked = {"name": "items", "embedder": "one", "ids": _IDS, "payloads": [{"n": 1}, {}]}
    service.handlers["upsert"](asked, [_ROWS.tobytes()])
    service.settle()

    page = service.handlers["scroll"](
        {"name": "items", "where": _ALL, "limit": 10, "after": None}, []
    )

    assert page.value == {"ids": _IDS, "payloads": [{"n": 1}, {}], "rest": None}
    assert list(page.buffers) == [_ROWS.tobytes()]
    service.close()


@pytest.mark.parametrize("size", [0, 4, 24, 31])
def test_a_buffer_of_another_size_is_refused(service: Service, size: int) -> None:
    asked = {"name": "items", "embedder": "one", "ids": _IDS, "payloads": [{}, {}]}

    with pytest.raises(ValueError, match="vectors"):
        service.handlers["upsert"](asked, [bytes(size)])

    assert service.handlers["count"]({"name": "items", "where": _ALL}, []).value == 0
    service.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Exception("segment 7 is gone"), OutageError),
        (OSError(28, "segment 7 is gone"), OutageError),
        (KeyError("segment 7 is gone"), RuntimeError),
        (ValueError("segment 7 is gone"), ValueError),
        (CollectionMissingError("segment 7 is gone"), CollectionMissingError),
    ],
)
def test_trouble_of_the_engine_says_what(error: Exception, kind: type[Exception]) -> None:
    service = EngineService(cast("Engine", _Broken(error)))

    with pytest.raises(type(error)) as raised:
        service.settle()

    told = service.translated(raised.value)
    assert type(told) is kind
    assert "segment 7 is gone" in str(told)


def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    newer = tmp_path / "collections" / "items" / "spec.json"
    newer.parent.mkdir(parents=True)
    newer.write_text('{"format": 99}')

    with pytest.raises(OutageError, match="the vector engine failed"):
        open_service(str(tmp_path / "file"))
    with pytest.raises(FormatError):
        open_service(str(tmp_path))


def test_the_engines_process_loads_little() -> None:
    script = "import sys, core.children.served, core.vectors.edge.child; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )

    assert {"numpy", "pydantic", "asyncio", "structlog"}.isdisjoint(done.stdout.split())

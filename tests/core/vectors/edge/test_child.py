"""The loop of the engine's process, over pipes of the test's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from core.errors import OutageError
from core.vectors.edge.child import serve
from core.vectors.edge.engine import Engine
from core.vectors.edge.wire import LENGTH, Reply, Request, pack, unpack_reply


class _Recorder:
    """Stands where Engine stands, and writes down what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses_sync = False
        self.untidy = False
        self.tidied = threading.Event()

    def upsert(self, name: str) -> None:
        self.calls.append(f"upsert {name}")

    def count(self, name: str) -> int:
        self.calls.append(f"count {name}")
        if name == "broken":
            raise Exception("segment 7 is gone")
        return 3

    def sync(self) -> None:
        self.calls.append("sync")
        if self.refuses_sync:
            raise OSError(28, "No space left on device")

    def tidy(self) -> None:
        self.calls.append("tidy")
        self.untidy = False
        self.tidied.set()

    def close(self) -> None:
        self.calls.append("close")


class _Line:
    """The parent's ends of the pipes."""

    def __init__(self) -> None:
        self.requests, self._ask = os.pipe()
        self._answers, self.replies = os.pipe()

    def ask(self, *requests: tuple[str, str]) -> None:
        numbered = (Request(n, call, (name,)) for n, (call, name) in enumerate(requests, start=1))
        os.write(self._ask, b"".join(pack(request) for request in numbered))

    def end(self) -> None:
        os.close(self._ask)

    def answer(self) -> Reply:
        head = os.read(self._answers, LENGTH.size)
        return unpack_reply(os.read(self._answers, LENGTH.unpack(head)[0]))

    def close(self) -> None:
        for handle in (self.requests, self.replies, self._answers):
            os.close(handle)


@pytest.fixture
def line() -> Iterator[_Line]:
    line = _Line()
    yield line
    line.close()


def _serve(engine: _Recorder, line: _Line) -> None:
    serve(cast("Engine", engine), line.requests, line.replies)


def _told(reply: Reply) -> tuple[int, Any]:
    return reply.number, reply.value if reply.error is None else type(reply.error)


def test_changes_that_come_together_share_a_sync(line: _Line) -> None:
    engine = _Recorder()
    line.ask(("upsert", "a"), ("upsert", "b"), ("count", "a"), ("upsert", "c"))
    line.end()

    _serve(engine, line)

    assert engine.calls[:4] == ["upsert a", "upsert b", "count a", "upsert c"]
    assert engine.calls[-1] == "close"


def test_a_change_is_answered_after_its_sync_and_a_question_at_once(line: _Line) -> None:
    engine = _Recorder()
    line.ask(("upsert", "a"), ("upsert", "b"), ("count", "a"))
    serving = threading.Thread(target=_serve, args=(engine, line))

    serving.start()
    answers = [line.answer() for _ in range(3)]
    line.end()
    serving.join()

    assert [_told(answer) for answer in answers] == [(3, 3), (1, None), (2, None)]
    assert engine.calls == ["upsert a", "upsert b", "count a", "sync", "close"]


def test_a_change_that_could_not_be_synced_is_an_outage(line: _Line) -> None:
    engine = _Recorder()
    engine.refuses_sync = True
    line.ask(("upsert", "a"), ("upsert", "b"))
    serving = threading.Thread(target=_serve, args=(engine, line))

    serving.start()
    answers = [line.answer() for _ in range(2)]
    line.end()
    serving.join()

    assert [_told(answer) for answer in answers] == [(1, OutageError), (2, OutageError)]


def test_trouble_of_the_engine_is_an_outage_that_says_what(line: _Line) -> None:
    line.ask(("count", "broken"), ("count", "fine"))
    line_end = threading.Thread(target=_serve, args=(_Recorder(), line))

    line_end.start()
    broken, fine = line.answer(), line.answer()
    line.end()
    line_end.join()

    assert isinstance(broken.error, OutageError)
    assert "segment 7 is gone" in str(broken.error)
    assert fine.value == 3


def test_it_tidies_up_when_nobody_asks(line: _Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.vectors.edge.child._QUIET_S", 0.01)
    engine = _Recorder()
    engine.untidy = True
    serving = threading.Thread(target=_serve, args=(engine, line))

    serving.start()
    assert engine.tidied.wait(10)
    line.end()
    serving.join()

    assert engine.calls == ["tidy", "close"]

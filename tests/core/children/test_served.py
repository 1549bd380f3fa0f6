"""The loop of a child, over pipes of the test's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core.children.frames import Answer, Bounds, Buffer, Message, pack, unpack
from core.children.served import Service, serve
from core.errors import OutageError

BOUNDS = Bounds(1000, 1000)


class _Recorder(Service):
    """Writes down what is asked of it."""

    changes = frozenset({"change"})
    quiet_s = 0.01

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.refuses = False
        self.unfinished = False
        self.tidied = threading.Event()
        self.handlers = {"change": self._change, "ask": self._ask, "large": self._large}

    def settle(self) -> None:
        self.calls.append("settle")
        if self.refuses:
            raise OSError(28, "No space left on device")

    @property
    def untidy(self) -> bool:
        return self.unfinished

    def tidy(self) -> None:
        self.calls.append("tidy")
        self.unfinished = False
        self.tidied.set()
        if self.refuses:
            raise OSError(28, "No space left on device")

    def close(self) -> None:
        self.calls.append("close")

    def translated(self, error: Exception) -> Exception:
        return OutageError(f"translated: {error}")

    def _change(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        self.calls.append(f"change {asked['name']}")
        return Answer()

    def _ask(self, asked: dict[str, Any], buffers: list[Buffer]) -> Answer:
        self.calls.append(f"ask {asked['name']}")
        return Answer(3, [bytes(buffer)[::-1] for buffer in buffers])

    def _large(self, asked: dict[str, Any], _: list[Buffer]) -> Answer:
        return Answer("x" * 2000)


class _Line:
    """The parent's ends of the pipes."""

    def __init__(self) -> None:
        self.requests, self._ask = os.pipe()
        self._answers, self.replies = os.pipe()

    def ask(self, *requests: tuple[str, str], buffers: tuple[bytes, ...] = ()) -> None:
        for number, (call, name) in enumerate(requests, start=1):
            request = {"number": number, "call": call, "arguments": {"name": name}}
            os.write(self._ask, b"".join(map(bytes, pack(request, buffers, BOUNDS))))

    def end(self) -> None:
        os.close(self._ask)

    def answer(self) -> Message:
        message = unpack(BOUNDS)
        needed = next(message)
        try:
            while True:
                needed = message.send(os.read(self._answers, needed))
        except StopIteration as done:
            complete: Message = done.value
            return complete

    def close(self) -> None:
        for handle in (self.requests, self.replies, self._answers):
            os.close(handle)


@pytest.fixture
def line() -> Iterator[_Line]:
    line = _Line()
    yield line
    line.close()


@contextmanager
def _serving(service: Service, line: _Line) -> Iterator[None]:
    serving = threading.Thread(target=serve, args=(service, line.requests, line.replies, BOUNDS))
    serving.start()
    yield
    line.end()
    serving.join()


def _told(answer: Message) -> tuple[int, Any]:
    return answer.fields["number"], answer.fields.get("error", answer.fields.get("value"))


def test_changes_that_come_together_are_settled_together(line: _Line) -> None:
    service = _Recorder()
    line.ask(("change", "a"), ("change", "b"), ("ask", "a"), ("change", "c"))
    line.end()

    serve(service, line.requests, line.replies, BOUNDS)

    assert service.calls[:4] == ["change a", "change b", "ask a", "change c"]
    assert service.calls[-1] == "close"


def test_a_change_is_answered_once_settled_and_a_question_at_once(line: _Line) -> None:
    service = _Recorder()
    line.ask(("change", "a"), ("change", "b"), ("ask", "a"))

    with _serving(service, line):
        answers = [line.answer() for _ in range(3)]

    assert [_told(answer) for answer in answers] == [(3, 3), (1, None), (2, None)]
    assert service.calls == ["change a", "change b", "ask a", "settle", "close"]


def test_changes_that_could_not_be_settled_have_all_failed(line: _Line) -> None:
    service = _Recorder()
    service.refuses = True
    line.ask(("change", "a"), ("change", "b"))

    with _serving(service, line):
        answers = [line.answer() for _ in range(2)]

    assert [_told(answer) for answer in answers] == [(1, "OutageError"), (2, "OutageError")]


def test_buffers_go_both_ways(line: _Line) -> None:
    line.ask(("ask", "a"), buffers=(b"abc", b""))

    with _serving(_Recorder(), line):
        answer = line.answer()

    assert answer.buffers == [b"cba", b""]


@pytest.mark.parametrize(
    ("call", "says"), [("large", "cannot be sent"), ("eval", "there is no call 'eval'")]
)
def test_what_goes_wrong_is_an_answer_too(line: _Line, call: str, says: str) -> None:
    line.ask((call, "a"), ("ask", "b"))

    with _serving(_Recorder(), line):
        wrong, right = line.answer(), line.answer()

    assert wrong.fields["error"] == "OutageError"
    assert says in wrong.fields["message"]
    assert _told(right) == (2, 3)


@pytest.mark.parametrize("refuses", [False, True])
def test_it_tidies_up_when_nobody_asks(
    line: _Line, refuses: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    service = _Recorder()
    service.unfinished, service.refuses = True, refuses

    with _serving(service, line):
        assert service.tidied.wait(10)
        line.ask(("ask", "a"))
        assert _told(line.answer()) == (1, 3)

    assert service.calls == ["tidy", "ask a", "close"]
    assert ("No space left" in capsys.readouterr().err) == refuses

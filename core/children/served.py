"""What a child does: reads requests, has them handled, and answers, until its parent is gone.

Imported in the child only by ``program.py``, and free of all that takes long to import.
"""

from __future__ import annotations

import importlib
import os
import select
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from core.children import faults
from core.children.frames import Answer, Bounds, Buffer, Message, UnsendableError, pack, unpack
from core.errors import TaggingError

Handler = Callable[[dict[str, Any], list[Buffer]], Answer]
"""Takes a call's arguments and buffers."""

_Changed = list[tuple[int, Answer]]
_CHANGES_AT_ONCE = 64
"""Changes that are settled together, if as many have arrived."""


class Service:
    """What a child offers, for one thread. The hooks of this base do nothing.

    Attributes:
        handlers: by the name of the call.
        changes: calls that are answered only once :meth:`settle` has been called after them;
            those that arrive together share it.
        quiet_s: without a request for this long, nobody is about to wait for one.
    """

    handlers: Mapping[str, Handler]
    changes: frozenset[str] = frozenset()
    quiet_s: float = 1.0
    tell: Callable[[object], None]
    """Reports how far the call that is being handled is, in what JSON can hold."""

    def settle(self) -> None:
        """Makes the changes so far lasting."""

    @property
    def untidy(self) -> bool:
        """There is work left for a quiet moment."""
        return False

    def tidy(self) -> None:
        """Called when it was quiet while ``untidy``. What fails here fails the next request too,
        and is reported there."""

    def close(self) -> None:
        """The parent is gone."""

    def translated(self, error: Exception) -> Exception:
        """The error that the parent is to raise for one that a handler or ``settle`` raised."""
        return error


def run(module: str, options: Mapping[str, Any], bounds: Bounds, line: tuple[int, int]) -> None:
    """Serves what the module's ``open_service(**options)`` gives. An error of our tree is the
    first answer; any other ends the child, whose last words are then its traceback."""
    try:
        service: Service = importlib.import_module(module).open_service(**options)
    except TaggingError as error:
        _send(line[1], {"number": 0, **faults.to_data(error)}, (), bounds)
        return
    _send(line[1], {"number": 0, "value": None}, (), bounds)
    serve(service, *line, bounds)


def serve(service: Service, requests: int, replies: int, bounds: Bounds) -> None:
    """Answers in the order of arrival, except that changes wait until they are settled.

    Returns when the parent closed its end of ``requests``.
    """
    while True:
        if not _ready(requests, service.quiet_s if service.untidy else None):
            _tidy(service)
            continue
        changed: _Changed = []
        while len(changed) < _CHANGES_AT_ONCE and _ready(requests, 0):
            if (request := _receive(requests, bounds)) is None:
                service.close()
                return
            number, call = request.fields["number"], request.fields["call"]
            service.tell = partial(_send_progress, replies, number, bounds)
            try:
                answer = _handled(service, call, request)
            except Exception as error:
                _fail(replies, number, service.translated(error), bounds)
                continue
            if call in service.changes:
                changed.append((number, answer))
            else:
                _answer(service, replies, number, answer, bounds)
        if changed:
            _settle(service, replies, changed, bounds)


def _handled(service: Service, call: str, request: Message) -> Answer:
    handler = service.handlers.get(call)
    if handler is None:
        raise RuntimeError(f"there is no call {call!r}")
    return handler(request.fields["arguments"], request.buffers)


def _settle(service: Service, replies: int, changed: _Changed, bounds: Bounds) -> None:
    try:
        service.settle()
    except Exception as error:
        for number, _ in changed:
            _fail(replies, number, service.translated(error), bounds)
    else:
        for number, answer in changed:
            _answer(service, replies, number, answer, bounds)


def _tidy(service: Service) -> None:
    try:
        service.tidy()
    except Exception:
        # Nobody asked for this. What fails here (a full disk) fails the next request, too, whose
        # caller is answered with it; the parent has it in its debug log meanwhile.
        traceback.print_exc(file=sys.stderr)


def _answer(service: Service, replies: int, number: int, answer: Answer, bounds: Bounds) -> None:
    try:
        _send(replies, {"number": number, "value": answer.value}, answer.buffers, bounds)
    except UnsendableError as error:
        unsent = RuntimeError(f"the answer cannot be sent: {error}")
        _fail(replies, number, service.translated(unsent), bounds)


def _send_progress(replies: int, number: int, bounds: Bounds, progress: object) -> None:
    _send(replies, {"number": number, "progress": progress}, (), bounds)


def _fail(replies: int, number: int, error: Exception, bounds: Bounds) -> None:
    _send(replies, {"number": number, **faults.to_data(error)}, (), bounds)


def _ready(pipe: int, timeout_s: float | None) -> bool:
    return bool(select.select([pipe], [], [], timeout_s)[0])


def _receive(pipe: int, bounds: Bounds) -> Message | None:
    """The next message, or None when the parent is gone."""
    message = unpack(bounds)
    needed = next(message)
    try:
        while (piece := _read_exactly(pipe, needed)) is not None:
            needed = message.send(piece)
    except StopIteration as done:
        complete: Message = done.value
        return complete
    return None


def _read_exactly(pipe: int, size: int) -> bytearray | None:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        read = os.readv(pipe, [rest])
        if read == 0:
            return None
        rest = rest[read:]
    return data


def _send(pipe: int, fields: Mapping[str, Any], buffers: Sequence[Buffer], bounds: Bounds) -> None:
    for piece in pack(fields, buffers, bounds):
        rest = memoryview(piece).cast("B")
        while rest:
            rest = rest[os.write(pipe, rest) :]

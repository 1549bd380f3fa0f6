"""A child from its parent's side: whatever it does, whoever waits is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from core.children.frames import Answer, Bounds, UnsendableError
from core.children.launch import Program, how_it_ended
from core.children.parent import Child, ChildLostError
from core.errors import FormatError, OutageError


@pytest.fixture(autouse=True)
def _children_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[3])])


def program(
    start_limit_s: float = 60.0, silence_limit_s: float | None = None, **options: Any
) -> Program:
    return Program(
        name="the rogue",
        service="tests.core.children.rogue",
        options=options,
        bounds=Bounds(1 << 20, 1 << 24),
        start_limit_s=start_limit_s,
        silence_limit_s=silence_limit_s,
    )


@pytest.fixture
async def child() -> AsyncIterator[Child]:
    child = await Child.start(program())
    yield child
    child.kill()
    await child.wait()


def value(answer: Answer) -> Any:
    return answer.value


async def echo(child: Child, what: Any) -> Any:
    return await child.ask("echo", {"value": what}, read=value)


def wire(**fields: Any) -> str:
    header = json.dumps({"buffers": [], **fields}).encode()
    return (struct.pack(">I", len(header)) + header).hex()


async def test_many_ask_at_once_and_each_gets_its_own_answer(child: Child) -> None:
    answers = await asyncio.gather(*(echo(child, number) for number in range(200)))

    assert answers == list(range(200))


async def test_large_buffers_go_both_ways_at_once(child: Child) -> None:
    sent = [bytes([number]) * (1 << 21) for number in range(6)]

    back = await asyncio.gather(
        *(
            child.ask("echo", {"value": None}, [buffer], read=lambda answer: answer.buffers)
            for buffer in sent
        )
    )

    assert [bytes(buffer) for [buffer] in back] == sent


async def test_what_cannot_be_sent_costs_the_child_nothing(child: Child) -> None:
    with pytest.raises(UnsendableError):
        await echo(child, {1, 2})

    assert await echo(child, 1) == 1


async def test_a_cancelled_question_takes_no_answer_from_others(child: Child) -> None:
    asked = [asyncio.create_task(echo(child, number)) for number in range(20)]
    await asyncio.sleep(0)
    for each in asked[::2]:
        each.cancel()
    await asyncio.wait(asked)

    assert [each.result() for each in asked[1::2]] == list(range(1, 20, 2))
    assert await echo(child, "still there") == "still there"


@pytest.mark.parametrize(
    "said",
    [
        *("ffffffff", "00000000", "0000000161", wire(), wire(number=99, value=1)),
        *(wire(number="1", value=1), wire(number=[1], value=1), wire(number=True, value=1)),
        *(wire(number=1), wire(number=0, value=1), wire(number=-1, value=1)),
        *(wire(number=1, error="SystemExit", message="0"), wire(number=1, value=1) * 2),
        wire(number=1, value=1, buffers=[1 << 40]),
    ],
)
async def test_nonsense_ends_the_child_and_reaches_whoever_waits(child: Child, said: str) -> None:
    asked = [
        asyncio.create_task(child.ask("pause" if number else "write", {"hex": said}, read=value))
        for number in range(2)
    ]

    outcomes = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(outcomes[-1], ChildLostError)
    assert "the rogue answered nonsense" in str(outcomes[-1])
    assert not child.alive
    with pytest.raises(ChildLostError, match="nonsense"):
        await echo(child, 1)


async def test_an_answer_that_its_reader_refuses_ends_the_child(child: Child) -> None:
    with pytest.raises(ChildLostError, match="answered nonsense: ValueError: not a number"):
        await child.ask("echo", {"value": "x"}, read=_number)

    assert not child.alive
    await child.wait()


def _number(answer: Answer) -> int:
    if not isinstance(answer.value, int):
        raise ValueError("not a number")
    return answer.value


async def test_its_end_reaches_whoever_waits_and_whoever_asks_later(child: Child) -> None:
    waiting = [asyncio.create_task(child.ask("pause", {}, read=value)) for _ in range(3)]
    await asyncio.sleep(0)

    child.kill()

    for each in waiting:
        with pytest.raises(ChildLostError, match="the rogue died of SIGKILL: killed"):
            await each
    assert not child.alive
    with pytest.raises(ChildLostError, match="SIGKILL"):
        await echo(child, 1)


async def test_the_end_of_whoever_listens_to_it_reaches_whoever_waits(child: Child) -> None:
    waiting = asyncio.create_task(child.ask("pause", {}, read=value))
    await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {waiting, asyncio.current_task()}:
        task.cancel()

    with pytest.raises(ChildLostError):
        await waiting
    assert not child.alive


@pytest.mark.parametrize(
    ("number", "says"),
    [(signal.SIGSEGV, "died of SIGSEGV"), (signal.SIGBUS, r"SIGBUS: is the disk full\?")],
)
async def test_how_it_ended_is_said_in_words(child: Child, number: int, says: str) -> None:
    with pytest.raises(ChildLostError, match=says):
        await child.ask("die", {"signal": number}, read=value)


def test_every_end_has_words() -> None:
    assert how_it_ended(3) == "ended with exit code 3"
    assert how_it_ended(-40) == "died of signal 40"


async def test_an_error_of_our_tree_at_the_start_is_raised() -> None:
    with pytest.raises(FormatError, match="of a newer version"):
        await Child.start(program(refuses="of a newer version"))


async def test_a_child_that_dies_at_the_start_is_an_outage_with_its_last_words() -> None:
    with pytest.raises(
        OutageError, match="does not start: the rogue ended with exit code 1: tired"
    ):
        await Child.start(program(dies="tired"))


async def test_a_child_that_is_never_ready_is_killed() -> None:
    before = set(psutil.Process().children())

    with pytest.raises(OutageError, match=r"it was not ready within 0.5 s"):
        await Child.start(program(start_limit_s=0.5, hangs=True))

    assert set(psutil.Process().children()) == before


async def test_a_program_that_cannot_be_run_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(OutageError, match="the rogue cannot be started"):
        await Child.start(program())


async def test_closing_lets_it_end_by_itself() -> None:
    child = await Child.start(program())

    await child.close()

    with pytest.raises(ChildLostError, match="exit code 0"):
        await echo(child, 1)


async def test_a_child_leads_a_session_of_its_own_and_ignores_polite_signals(child: Child) -> None:
    [process] = [
        each for each in psutil.Process().children() if "children.rogue" in str(each.cmdline())
    ]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)

    assert await echo(child, 1) == 1
    assert os.getsid(process.pid) == process.pid


async def test_a_child_that_neither_answers_nor_works_is_given_up_in_words() -> None:
    child = await Child.start(program(silence_limit_s=0.5))

    with pytest.raises(ChildLostError, match=r"the rogue \(process \d+\) has not answered for"):
        await child.ask("pause", {}, read=value)

    assert not child.alive
    await child.wait()


async def test_a_stopped_child_is_given_up_though_it_does_not_even_read() -> None:
    child = await Child.start(program(silence_limit_s=0.5))
    await child.ask("echo", {"value": None}, read=value)
    psutil.Process(child.pid).suspend()
    large = [bytes(1 << 22)]

    with pytest.raises(ChildLostError, match="stopped, or is stuck"):
        await child.ask("echo", {"value": None}, large, read=value)

    await child.wait()


async def test_a_child_that_works_is_waited_for() -> None:
    child = await Child.start(program(silence_limit_s=1.0))

    assert await child.ask("work", {"processor_s": 1.2}, read=value) == "worked"

    await child.close()

from __future__ import annotations

from typing import Any

from core.errors import OutageError
from core.runtime.retry import RetryPolicy
from producers.hold import Hold


def test_a_pause_is_said_once_and_its_end_once(lines: list[Any]) -> None:
    hold = Hold(RetryPolicy(base_s=1.0, cap_s=8.0))
    for now in (0.0, 100.0, 200.0):
        hold.failed(OutageError("the disk is full"), now)

    hold.succeeded()
    hold.succeeded()

    assert [line["event"] for line in lines] == ["intake_paused", "intake_resumed"]
    assert lines[1]["after_failures"] == 3


def test_tries_that_were_under_way_together_count_as_one() -> None:
    hold = Hold(RetryPolicy(base_s=1.0, cap_s=8.0))

    hold.failed(OutageError("away"), 10.0)
    until = hold.waits_until()
    hold.failed(OutageError("away"), 10.1)

    assert until is not None
    assert until > 10.1
    assert hold.waits_until() == until
    assert hold.reason == "away"

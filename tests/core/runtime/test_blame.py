"""Errors that no event is to blame for stop the stage, and are no event's attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import (
    BusyError,
    EmbedderMismatchError,
    FormatError,
    SettingsError,
    StageStopError,
    TaggingError,
)
from core.events import DeadLetter
from tests.core.runtime.stages import (
    Recorder,
    caught_up,
    create_topics,
    extracted,
    publish,
    running,
    said,
    until,
)
from tests.memory_broker import Chaos
from tests.memory_log import MemoryEventLog
from tests.memory_state import MemoryStateStore

BLAMELESS = (BusyError, EmbedderMismatchError, FormatError, SettingsError, StageStopError)


@pytest.mark.parametrize("kind", BLAMELESS, ids=lambda kind: kind.__name__)
async def test_it_stops_the_stage_at_the_first_try_and_keeps_the_event(
    kind: type[TaggingError], tmp_path: Path
) -> None:
    log = MemoryEventLog(chaos=Chaos(rebalance=0, delay_s=0))
    await create_topics(log)
    await publish(log, [extracted(1)])

    def behave(event: object, context: object) -> None:
        raise kind("process 7 has it")

    stage, heir = Recorder(behave), Recorder()
    with pytest.raises(kind, match="process 7"):
        async with running(stage, log, MemoryStateStore(), tmp_path) as runner:
            await until(lambda: runner.failure is not None)

    assert stage.attempts == [1]
    assert await said(log, DeadLetter.topic) == []
    async with running(heir, log.another(), MemoryStateStore(), tmp_path):
        await until(lambda: caught_up(log, heir))
    assert heir.attempts == [1]

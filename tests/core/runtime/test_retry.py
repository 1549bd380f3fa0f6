"""Back-off, and the gate that an outage closes: one probes, the others wait, and a stop ends it."""

from __future__ import annotations

import asyncio

import pytest

from core.errors import OutageError, StoppingError
from core.runtime.retry import OutageGate, RetryPolicy
from tests.core.runtime.stages import until

QUICK = RetryPolicy(base_s=0.001, cap_s=0.001)
PATIENT = RetryPolicy(base_s=7200.0, cap_s=7200.0)


def test_delays_grow_to_their_cap_and_are_spread_below_it() -> None:
    policy = RetryPolicy(base_s=0.1, cap_s=1.0)

    delays = {attempt: [policy.delay(attempt) for _ in range(200)] for attempt in (1, 2, 3, 1000)}

    for attempt, ceiling in ((1, 0.1), (2, 0.2), (3, 0.4), (1000, 1.0)):
        assert 0 <= min(delays[attempt]) <= max(delays[attempt]) <= ceiling
        assert len(set(delays[attempt])) > 100


class Store:
    """A dependency that may be away, and who is asking it."""

    def __init__(self, gate: OutageGate) -> None:
        self.gate = gate
        self.away = True
        self.asked: list[str] = []

    async def ask(self, who: str) -> None:
        """As the runtime does it: past the gate, and again after each outage."""
        try:
            while True:
                await self.gate.passed()
                self.asked.append(who)
                await asyncio.sleep(0)
                if not self.away:
                    self.gate.recovered()
                    return
                await self.gate.outage(OutageError("the store is away"))
        finally:
            self.gate.left()


async def test_while_a_dependency_is_away_one_probes_and_the_others_wait() -> None:
    store = Store(OutageGate("s", QUICK))
    asking = [asyncio.create_task(store.ask(who)) for who in "abc"]
    await until(lambda: len(store.asked) > 10)

    assert store.gate.closed
    assert store.gate.reason == "the store is away"
    assert store.asked[:3] == ["a", "b", "c"]  # all were under way when it went
    assert set(store.asked[3:]) == {"a"}
    store.away = False
    await asyncio.gather(*asking)

    assert not store.gate.closed
    assert store.gate.reason is None


async def test_when_the_prober_ends_without_an_answer_another_takes_its_place() -> None:
    store = Store(OutageGate("s", QUICK))
    prober, other = (asyncio.create_task(store.ask(who)) for who in "ab")
    await until(lambda: len(store.asked) > 5)

    prober.cancel()
    await until(lambda: store.asked[-1] == "b")
    store.away = False

    await other


async def test_a_success_of_another_does_not_open_the_gate() -> None:
    gate = OutageGate("s", PATIENT)
    probing = asyncio.create_task(gate.outage(OutageError("the store is away")))
    await asyncio.sleep(0)

    gate.recovered()
    gate.left()

    assert gate.closed
    gate.end()
    await asyncio.gather(probing, return_exceptions=True)


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_once_nobody_waits_an_outage_is_an_error_for_prober_and_waiters(comes: str) -> None:
    gate = OutageGate("s", PATIENT)
    store = Store(gate)
    asking = [asyncio.create_task(store.ask(who)) for who in "abc"]
    await until(lambda: len(store.asked) == 3)

    gate.end()
    if comes == "after":
        asking.append(asyncio.create_task(store.ask("d")))
    outcomes = await asyncio.gather(*asking, return_exceptions=True)

    assert all(isinstance(outcome, OutageError) for outcome in outcomes)
    assert not gate.closed


async def test_an_open_gate_lets_pass_also_when_nobody_waits() -> None:
    gate = OutageGate("s", PATIENT)
    gate.end()

    await gate.passed()


async def test_a_rest_ends_with_the_wish_to_stop() -> None:
    gate = OutageGate("s", PATIENT)
    resting = asyncio.create_task(gate.rest(3600))
    await asyncio.sleep(0)

    gate.end()

    with pytest.raises(StoppingError):
        await resting
    with pytest.raises(StoppingError):
        await gate.rest(3600)


async def test_a_rest_that_nobody_disturbs_just_ends() -> None:
    await OutageGate("s", QUICK).rest(0.001)

"""One record, or one stored value, stops nothing but itself: whatever its bytes, a good photo that
is dropped afterwards is tagged, also after a restart."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.blobs.port import Blob
from core.envelope import encode, encode_structured
from core.errors import NewerEventError
from core.events import TOPICS, MediaTagged, Purpose
from core.log.port import Message
from core.ports import Ports
from core.results.reading import result
from core.runtime.deadletters import letters
from core.runtime.halts import halting, step_over
from core.state.unreadable import unreadable
from infra.running.engine import Engine
from infra.watching.health import examine
from infra.wiring.stages import RECIPES
from tests.core import samples
from tests.e2e.harness import Rig, product_pictures, rig, submission
from tests.vision_standin import StandinEmbedder, png

SAMPLES = {kind: replace(event, target=None) for kind, event in samples.SAMPLES.items()}
"""For whichever stage reads their topic."""
STRUCTURED = {"content-type": "application/cloudevents+json"}
NESTED = b"[" * 200_000
_SECONDS = 60.0
_shades = itertools.count()


async def tagged(one: Rig, media: str) -> MediaTagged | None:
    found = await result(one.ports, media)
    return found if found is not None and found.status == "complete" else None


async def drop_good(one: Rig, *engines: Engine, paint: str = "red") -> str:
    """Drops a photo that no test dropped before, and waits for its result; its media id."""
    number = next(_shades)
    data = png(paint, "blue", side=60 + number // 50, shade=205 + number % 50)
    path = one.settings.data_dir.parent / "good" / f"{number}.png"
    (announced,) = await one.announce(submission(path, data))
    tasks = [asyncio.ensure_future(engine.run()) for engine in engines]
    try:
        async with asyncio.timeout(_SECONDS):
            while await tagged(one, announced.media_id) is None:
                for task in tasks:
                    assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
    finally:
        for engine in engines:
            engine.stop()
        await asyncio.gather(*tasks)
    return announced.media_id


async def expect_good_photos(folder: Path, records: Sequence[Message]) -> int:
    """Publishes hostile records between two lives of an engine; the number of dead letters."""
    async with rig(folder / "data") as one:
        await one.ports.log.publish(records)
        await drop_good(one, await one.engine())
    async with rig(folder / "data") as one:
        await drop_good(one, await one.engine())
        return len(await letters(one.ports.log, one.ports.state))


def structured(kind: str, **changes: object) -> Message:
    message = encode_structured(SAMPLES[kind])
    attributes = {**json.loads(message.value or b""), **changes}
    return Message(message.topic, message.key, json.dumps(attributes).encode(), message.headers)


def binary(kind: str, old: bytes, new: bytes) -> Message:
    message = encode(SAMPLES[kind])
    assert old in (message.value or b"")
    value = (message.value or b"").replace(old, new)
    return Message(message.topic, message.key, value, message.headers)


def headed(kind: str, **headers: str) -> Message:
    message = encode(SAMPLES[kind])
    return Message(message.topic, message.key, message.value, {**message.headers, **headers})


SEVEN = {
    "nested without end": Message("media.uploaded", "k", NESTED, STRUCTURED),
    "a surrogate subject": structured("media.uploaded", subject="\ud800"),
    "a surrogate id": structured("media.uploaded", id="\ud800"),
    "nested on dead.letters": Message("dead.letters", "k", NESTED, STRUCTURED),
    "an infinite score": binary("items.matched", b'"score":0.91', b'"score":1e999'),
    "a box of NaN": binary("items.matched", b'"box":[10.0', b'"box":[NaN'),
    "a root that is a list": structured("items.matched", root=["x"]),
}


async def test_none_of_the_seven_records_stops_the_engine(tmp_path: Path) -> None:
    given_up = await expect_good_photos(tmp_path, list(SEVEN.values()))

    assert given_up >= len(SEVEN)


async def test_no_newer_version_on_a_strange_topic_stops_the_engine(tmp_path: Path) -> None:
    strangers = [
        headed(kind, ce_type=f"{other}.v9")
        for kind in SAMPLES
        for other in (*TOPICS, "anything")
        if other != kind
    ]

    assert await expect_good_photos(tmp_path, strangers) > 0


def of_another_size(kind: str, purpose: Purpose) -> Message:
    """The stand-in's vectors have 6 numbers, the samples' 3."""
    event = replace(SAMPLES[kind], purpose=purpose)
    changes = {"embedder": StandinEmbedder.version}
    return encode(replace(event, data=event.data.model_copy(update=changes)))


async def test_vectors_of_another_size_are_their_medium_s_trouble(tmp_path: Path) -> None:
    framed = SAMPLES["media.framed"]
    query = replace(framed, purpose="query", data=framed.data.model_copy(update={"product": None}))
    records = [
        *(encode(SAMPLES["media.uploaded"]), encode(query)),
        *(of_another_size("items.matched", "query"), of_another_size("items.indexed", "catalog")),
        *(of_another_size("items.embedded", "query"), of_another_size("items.embedded", "catalog")),
    ]

    await expect_good_photos(tmp_path, records)

    async with rig(tmp_path / "data") as one:
        given_up = await letters(one.ports.log, one.ports.state)
    assert {letter.data.stage for letter in given_up} == {"frames", "index"}


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_ours = sorted({name for event in SAMPLES.values() for name in encode(event).headers})
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=8,
)


@st.composite
def _changed_samples(draw: st.DrawFn) -> Message:
    """An event of ours with something else in one place, on any topic."""
    kind = draw(st.sampled_from(sorted(SAMPLES)))
    event = SAMPLES[kind]
    event = replace(event, purpose=draw(st.sampled_from(["query", "catalog"])))
    message = encode(event) if kind == "dead.letters" else encode_structured(event)
    topic = draw(st.sampled_from(TOPICS) if draw(st.integers(0, 3)) == 0 else st.just(kind))
    if kind == "dead.letters" or draw(st.booleans()):
        message = encode(event)
        headers = {**message.headers, draw(st.sampled_from(_ours)): draw(_text)}
        return Message(topic, message.key, message.value, headers)
    attributes = json.loads(message.value or b"")
    inside = attributes["data"] if draw(st.booleans()) else attributes
    inside[draw(st.sampled_from(sorted(inside)))] = draw(_json)
    return Message(topic, message.key, json.dumps(attributes).encode(), STRUCTURED)


_anything = st.builds(
    Message,
    st.sampled_from(TOPICS),
    st.none() | _text,
    st.none() | st.binary(max_size=80) | _json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from([*_ours, "dead_letter", "ce_x"]) | _text, _text, max_size=8)
    | st.just(STRUCTURED),
)
_records = st.lists(_changed_samples() | _anything, min_size=40, max_size=80)


def _fuzzed(examples: int, shrink: bool) -> settings:
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    return settings(
        max_examples=examples,
        derandomize=not shrink,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )


@given(_records)
@_fuzzed(4, shrink=False)
def test_no_records_stop_the_engine(records: list[Message]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(expect_good_photos(Path(folder), records))


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(_records)
@_fuzzed(150, shrink=True)
def test_very_many_records_do_not_stop_the_engine(records: list[Message]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(expect_good_photos(Path(folder), records))


# -- stored values --------------------------------------------------------------------------------

_DAMAGE = (b"", b"\xff\x00\xfe", b"{}", b"null", NESTED, b'{"revision":1e999}', b"[[1]]", b"-1")


async def damage(ports: Ports, value: bytes, turn: int) -> list[str]:
    """Replaces one stored value of each kind; the keys."""
    kinds: dict[tuple[str, int], list[str]] = {}
    for key in await ports.state.keys(""):
        if not key.startswith("unreadable/"):
            kinds.setdefault((key.partition("/")[0], key.count("/")), []).append(key)
    chosen = [keys[turn % len(keys)] for keys in kinds.values()]
    await ports.state.put([(key, value) for key in chosen])
    return chosen


async def damage_every_kind(folder: Path, values: Sequence[bytes]) -> None:
    async with rig(folder / "data") as one:
        products = product_pictures(folder / "shop")[:2]
        engine = await one.engine()
        await one.announce(*products)
        media = await drop_good(one, engine)
    for turn, value in enumerate(values):
        async with rig(folder / "data") as one:
            await damage(one.ports, value, turn)
            latest = await one.ports.blobs.stat(f"results/{media}/none.json")
            if latest is not None:
                await one.ports.blobs.put([Blob(f"results/{media}/none.json", value, "x/y")])
            await one.announce(*products)
            await drop_good(one, await one.engine())


@pytest.mark.timeout(300)
async def test_a_damaged_value_of_every_kind_stops_nothing_else(tmp_path: Path) -> None:
    await damage_every_kind(tmp_path, _DAMAGE[:4])

    async with rig(tmp_path / "data") as one:
        named = await unreadable(one.ports.state)
        checks = {check.name: check for check in await examine(one.settings)}
    assert named != []
    assert checks["stored values"].next == "tagger state list"
    assert checks["stored values"].level == "degraded"


@pytest.mark.long
@pytest.mark.timeout(3600)
@given(
    st.lists(
        st.sampled_from(_DAMAGE)
        | st.binary()
        | _json.map(lambda value: json.dumps(value).encode()),
        min_size=6,
        max_size=12,
    )
)
@_fuzzed(20, shrink=True)
def test_any_damaged_values_stop_nothing_else(values: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(damage_every_kind(Path(folder), values))


# -- a newer version ------------------------------------------------------------------------------


async def test_a_stage_stops_at_a_newer_version_and_steps_over_it_when_told(tmp_path: Path) -> None:
    async with rig(tmp_path / "data") as one:
        await one.ports.log.publish([headed("media.uploaded", ce_type="media.uploaded.v9")])
        engine = await one.engine()
        with pytest.raises(NewerEventError) as stopped:
            await engine.run()
        checks = [check for check in await examine(one.settings) if check.level == "down"]
        record = await anext(one.ports.log.tail(["media.uploaded"], "earliest", follow=False))
        assert f"tagger dlq bury {record.place}" in str(stopped.value)
        assert {check.name for check in checks} == {"stage frames", "stage results"}
        assert all(f"tagger dlq bury {record.place}" in (check.next or "") for check in checks)

        stages = [recipe.stage for recipe in RECIPES]
        for halt in await halting(one.ports.log, stages, record.tp, record.offset):
            await step_over(one.ports.log, one.ports.state, one.ports.blobs, halt)

        given_up = await letters(one.ports.log, one.ports.state)
        assert sorted(letter.data.stage for letter in given_up) == ["frames", "results"]
        assert not [c for c in await examine(one.settings) if c.level == "down"]
        await drop_good(one, await one.engine())
    async with rig(tmp_path / "data") as one:
        await drop_good(one, await one.engine())

"""One trace for all that comes of an upload, as a collector sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from core.tracing.traces import configure_tracing
from tests.chaos.tagger import Tagger
from tests.e2e.harness import rig, running, settled, submission
from tests.servers.collector import Collector, collector
from tests.vision_standin import png


@pytest.fixture
def traces() -> Iterator[Collector]:
    """Where this process sends its spans."""
    with collector() as taken:
        configure_tracing(taken.endpoint)
        yield taken
        configure_tracing("")


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    path.write_bytes(png("red"))
    return str(path)


def _trace(traces: Collector, root: str) -> list[Span]:
    """The spans of what came of an upload, when all of them were sent."""
    configure_tracing("")
    return [span for span in traces.spans if span.trace_id.hex() == root.replace("-", "")]


def _attribute(span: Span, name: str) -> str | None:
    return next((one.value.string_value for one in span.attributes if one.key == name), None)


async def test_the_events_of_an_upload_are_the_spans_of_one_tree(
    tmp_path: Path, traces: Collector
) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            one, other = await engine_room.announce(
                submission(tmp_path / "look.png", png("red", "blue")),
                submission(tmp_path / "other.png", png("green")),
            )
            await settled(engine)

    spans = _trace(traces, one.root)
    assert {_attribute(span, "cloudevents.event_subject") for span in spans} == {one.media_id}
    by_name = {span.name: span for span in spans}
    assert not by_name["media.uploaded"].parent_span_id
    made_of = {
        "media.framed": "media.uploaded",
        "frames.extracted": "media.uploaded",
        "items.segmented": "frames.extracted",
        "items.embedded": "items.segmented",
        "items.matched": "items.embedded",
    }
    for name, parent in made_of.items():
        assert by_name[name].parent_span_id == by_name[parent].span_id
    assert by_name["media.tagged"].parent_span_id in {span.span_id for span in spans}
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)
    assert len(_trace(traces, other.root)) == len(spans)


async def test_an_event_that_is_given_up_is_an_error_with_its_reason(
    tmp_path: Path, traces: Collector
) -> None:
    async with rig(tmp_path / "data") as engine_room:
        engine = await engine_room.engine()
        async with running(engine):
            (broken,) = await engine_room.announce(
                submission(tmp_path / "broken.jpg", b"PK\x03\x04 not a picture")
            )
            await settled(engine)

    [letter] = [span for span in _trace(traces, broken.root) if span.name == "dead.letters"]
    assert letter.status.code == Status.STATUS_CODE_ERROR
    assert "ZIP archive" in letter.status.message


def test_a_process_sends_its_spans_before_it_ends(tmp_path: Path, photo: str) -> None:
    with collector() as taken:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": taken.endpoint}
        Tagger(tmp_path, tmp_path / "data", settings).finish("submit", photo, within_s=60)

    assert [span.name for span in taken.spans] == ["media.uploaded"]


def test_a_collector_that_is_away_costs_spans_and_nothing_else(tmp_path: Path, photo: str) -> None:
    with collector() as gone:
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": gone.endpoint}

    Tagger(tmp_path, tmp_path / "data", settings).finish("submit", photo, within_s=60)

"""What an earlier version wrote is read, finished, matched and redriven by this one.

The fixtures are of 2aa60b8; ``make`` says what is in them, and ``life`` how it came to that.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import kept
from tests.chaos.kept import Kept
from tests.formats.used import (
    TOLD,
    Used,
    empty_cluster,
    used_cluster,
    used_folder,
    watched_bucket,
)
from tests.vision_standin import png

pytestmark = pytest.mark.timeout(400)

DONE = {"red-blue.png", "purple.png", "done.mp4", "submitted.png"}
LATER = {"lost.png", "cut.mp4", "framed.png", "uploaded.png", "pending.png"}
PRODUCTS = {"The red one", "The green one", "The blue one", "The black one"}

Line = dict[str, Any]


@dataclass(frozen=True)
class Before:
    """What commands print of stores that nobody has touched since."""

    results: dict[str, Line]
    catalog: list[Line]
    topics: dict[str, list[Line]]
    lag: dict[str, dict[str, int]]
    letters: list[Line]


@pytest.fixture(scope="module", params=["folder", "cluster"])
def used(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Used]:
    home = tmp_path_factory.mktemp("used")
    if request.param == "folder":
        yield used_folder(home)
    else:
        with empty_cluster(home) as made:
            yield used_cluster(home, made)


@pytest.fixture(scope="module")
def before(used: Used) -> Before:
    topics = used.tagger("topics", "list")
    return Before(
        results={line["filename"]: line for line in used.tagger("results")},
        catalog=used.tagger("results", "--catalog"),
        topics={topic["name"]: used.tagger("topics", "tail", topic["name"]) for topic in topics},
        lag={topic["name"]: topic["lag"] for topic in topics},
        letters=used.tagger("dlq", "list"),
    )


@pytest.fixture(scope="module")
def after(used: Used, before: Before) -> Kept:
    """The lost frame is put back and its dead letter redriven, the producer starts, all is done."""
    used.put_back()
    used.tagger("dlq", "redrive", "--stage", "segment")
    used.recover()
    return used.work()


def test_results_are_read(used: Used, before: Before) -> None:
    assert {name: seen(before.results[name]) for name in DONE} == {
        name: TOLD["media"][name] for name in DONE
    }
    assert {before.results[name]["status"] for name in DONE} == {"complete"}
    assert before.results["broken.jpg"]["status"] == "failed"
    assert {line["product"]["title"] for line in before.catalog} == PRODUCTS
    assert {len(line["points"]) for line in before.catalog} == {1}
    for line in before.results.values():
        assert used.tagger("results", line["media_id"]) == [line]


def test_every_event_is_read(before: Before) -> None:
    said = {name: [line["event"] for line in lines] for name, lines in before.topics.items()}

    assert {name: len(events) for name, events in said.items() if events} == TOLD["events"]
    for name, events in said.items():
        assert all(event["type"].startswith(f"{name}.v") for event in events)


def test_readers_have_as_much_before_them_as_they_had(before: Before) -> None:
    then = {
        "media.tagged": {"reader": 1},
        "media.uploaded": {"frames": 1, "results": 2},
        "frames.extracted": {"segment": 1},
        "items.segmented": {"embed": 2},
    }

    assert all(before.lag[topic].items() >= groups.items() for topic, groups in then.items())


def test_dead_letters_are_listed_with_their_reasons(before: Before) -> None:
    assert {letter["stage"]: letter["error"] for letter in before.letters} == {
        "frames": "UndecodableError",
        "segment": "BlobMissingError",
    }


def test_what_was_in_flight_ends_and_is_matched(after: Kept) -> None:
    found = {tagged.filename: tagged for tagged in after.queries.values()}
    assert found.keys() == DONE | LATER | {"broken.jpg"}
    assert {name: seen(found[name].model_dump()) for name in DONE | LATER} == TOLD["media"]
    assert {found[name].status for name in DONE | LATER} == {"complete"}
    assert set(after.waiting.values()) == {0}
    assert after.marks == []


def test_nothing_is_lost_said_twice_or_doubled(after: Kept) -> None:
    uploads = Counter(upload.uri for upload in after.uploads.values())
    assert set(uploads.values()) == {1}
    assert len(uploads) == len(PRODUCTS | DONE | LATER | {"broken.jpg"})
    kept.expect_nothing_doubled(after)
    kept.expect_one_voice(after)


def test_a_dead_letter_is_redriven_once_its_cause_is_gone(used: Used, after: Kept) -> None:
    assert [letter.data.stage for letter in after.letters] == ["frames"]
    redriven = used.tagger("dlq", "list", "--redriven")
    assert sorted(letter["stage"] for letter in redriven) == ["frames", "segment"]


def test_a_file_that_has_not_changed_is_not_announced_again(used: Used, after: Kept) -> None:
    names = [path.name for path in used.looks.iterdir()]

    seen_again = used.see(*names)

    assert [announced.new for announced in seen_again] == [False] * len(names)


@pytest.mark.parametrize("used", ["cluster"], indirect=True)
def test_a_bucket_is_watched_on_from_where_it_was_left(used: Used, after: Kept) -> None:
    new = used.looks / "new.png"
    new.write_bytes(png("green", shade=240))

    with watched_bucket(used) as bucket:
        used.watch(bucket, until=len(after.uploads) + 1)

    uploads = asyncio.run(kept.read(used.settings)).uploads
    said = [uploads[root].uri for root in uploads.keys() - after.uploads.keys()]
    assert said == [f"{used.place}/{new.name}"]


def test_bytes_that_are_known_are_answered_from_what_is_known(
    used: Used, after: Kept, tmp_path: Path
) -> None:
    copies = [
        shutil.copyfile(used.looks / name, tmp_path / f"copy-of-{name}")
        for name in ("red-blue.png", "cut.mp4")
    ]

    announced = used.tagger("submit", *copies)
    results = used.work().results

    for line in announced:
        tagged = results[line["media_id"]]
        assert line["media_id"] in after.results
        assert not tagged.cached  # they were looked at before pipelines were paths
        assert {upload.root for upload in tagged.uploads} > {line["root"]}


def seen(tagged: Line) -> list[str]:
    """The products that the items of a result were matched with first."""
    return sorted(
        item["matches"][0]["payload"]["title"] for item in tagged["items"] if item["matches"]
    )

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from core.envelope import encode
from infra.cli.options import load_settings
from infra.wiring.adapters import open_ports
from tests.core.samples import SAMPLES
from tests.infra.cli.conftest import Tagger, lines
from tests.infra.cli.test_health import checks
from tests.infra.running.standin_engine import tag_all


def test_dead_letters_are_listed_with_stage_and_reason(shared: Tagger) -> None:
    (letter,) = lines(shared("dlq", "list", "--json"))

    assert letter["stage"] == "frames"
    assert letter["error"] == "UndecodableError"
    assert "not a picture" in letter["reason"]
    assert "UndecodableError" in shared("dlq", "list").stdout


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (("--stage", "frames"), 1),
        (("--stage", "embed"), 0),
        (("--reason", "NOT A PICTURE"), 1),
        (("--reason", "disk"), 0),
        (("--media", "f" * 32), 0),
    ],
)
def test_the_list_is_narrowed_by_stage_reason_and_medium(
    shared: Tagger, filters: tuple[str, str], count: int
) -> None:
    assert len(lines(shared("dlq", "list", "--json", *filters))) == count


def test_a_letter_is_shown_with_the_event_it_was(shared: Tagger) -> None:
    (letter,) = lines(shared("dlq", "list", "--json"))

    (shown,) = lines(shared("dlq", "show", letter["id"][:8]))

    assert shown["origin"]["body"]["filename"] == "broken.jpg"
    assert shown["origin"]["headers"]["ce_type"] == "media.uploaded.v1"


def test_a_letter_that_is_not_there_is_said_to_be_missing(shared: Tagger) -> None:
    assert "no such dead letter" in shared("dlq", "show", "nothing").stderr


def test_redrive_wants_to_know_which(tagger: Tagger) -> None:
    result = tagger("dlq", "redrive")

    assert result.exit_code == 2
    assert "--all" in result.stderr


@pytest.mark.usefixtures("copied")
def test_redrive_says_how_many_go_where_and_leaves_the_list(tagger: Tagger) -> None:
    (redriven,) = lines(tagger("dlq", "redrive", "--stage", "frames", "--json"))

    assert redriven == {"redriven": 1, "stages": {"frames": 1}}
    assert lines(tagger("dlq", "list", "--json")) == []
    assert len(lines(tagger("dlq", "list", "--json", "--redriven"))) == 1


def test_what_fails_again_is_listed_again(tagger: Tagger, copied: Path) -> None:
    tagger("dlq", "redrive", "--all")

    tag_all(copied)

    assert len(lines(tagger("dlq", "list", "--json"))) == 1


def test_an_event_of_a_newer_version_is_named_by_health_and_stepped_over(
    copied: Path, tagger: Tagger
) -> None:
    place = asyncio.run(_say_newer(copied))
    found = checks(tagger("health", "--json"))

    assert place in found["stage frames"]["detail"]
    assert f"tagger dlq bury {place}" in found["stage frames"]["next"]
    assert "frames, results" in tagger("dlq", "bury", place).stdout
    assert "v9" not in tagger("health", "--json").stdout
    letters = lines(tagger("dlq", "list", "--json"))
    assert {letter["stage"] for letter in letters if letter["error"] == "NewerEventError"} == {
        *("frames", "results"),
    }


async def _say_newer(data_dir: Path) -> str:
    async with open_ports(load_settings(data_dir)) as ports:
        message = encode(replace(SAMPLES["media.uploaded"], target=None))
        headers = {**message.headers, "ce_type": "media.uploaded.v9"}
        end = await ports.log.end_offsets([message.topic])
        await ports.log.publish([replace(message, headers=headers)])
        async for record in ports.log.tail([message.topic], end, follow=False):
            return record.place
    raise AssertionError("it is not there")

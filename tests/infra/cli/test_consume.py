"""Stages as processes of their own, on the log of one machine; the cluster's tests are in e2e."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.infra.cli.conftest import Tagger
from tests.infra.cli.test_processes import ENVIRONMENT, SCRIPT
from tests.vision_standin import png


@contextmanager
def consuming(data_dir: Path, *stages: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs stages, with their models loaded and their stores open."""
    command = [*SCRIPT, "consume", *stages, "--data-dir", str(data_dir)]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(line.endswith(": running\n") for line in process.stderr)
            yield process
        finally:
            process.kill()


@contextmanager
def following(data_dir: Path, topic: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a topic, as they come."""
    words = ("topics", "tail", topic, "--follow", "--json", "--data-dir", str(data_dir))
    with subprocess.Popen(
        [*SCRIPT, *words], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield (json.loads(line)["event"] for line in process.stdout)
        process.kill()


def test_a_medium_goes_through_stages_in_three_processes(tagger: Tagger, data_dir: Path) -> None:
    photo = data_dir.parent / "photo.png"
    photo.write_bytes(png("red", "blue", side=200))

    with ExitStack() as stack:
        processes = [
            stack.enter_context(consuming(data_dir, *stages))
            for stages in (["frames"], ["segment", "embed"], ["match", "index", "results"])
        ]
        announced = tagger("submit", photo, "--json")
        media = json.loads(announced.stdout)["media_id"]
        with following(data_dir, "media.tagged") as events:
            tagged = next(event for event in events if event["subject"] == media)
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(60) for process in processes]

    assert tagged["data"]["status"] == "complete"
    assert codes == [0, 0, 0]


def test_a_stage_that_runs_elsewhere_is_refused_and_the_process_named(
    tagger: Tagger, data_dir: Path
) -> None:
    with consuming(data_dir, "frames") as first:
        second = tagger("consume", "frames")

    assert second.exit_code == 1
    assert f"in use by process {first.pid}" in str(second.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frames", "fold"), "there is no stage 'fold'"),
        (("segment", "--device", "cuda:0"), "device cuda:0"),
        (("segment", "--device", "gpu"), "TAGGER_VISION__DEVICE"),
    ],
)
def test_what_cannot_run_ends_at_once_and_says_what_to_do(
    tagger: Tagger, arguments: tuple[str, ...], words: str
) -> None:
    refused = tagger("consume", *arguments)

    assert refused.exit_code == 1
    assert words in str(refused.exception)

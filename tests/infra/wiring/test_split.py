"""Kafka without S3 and S3 without Kafka: who shares one without the other knows half of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import SettingsError
from core.settings import KafkaSettings, S3Settings, Settings
from infra.cli import app
from infra.running.engine import open_engine, open_stages
from infra.wiring.adapters import open_ports, refuse_split
from infra.wiring.producers import open_bucket_producer, open_folder_producer
from tests.vision_standin import standin_vision

# Nobody listens there: what is refused has not asked.
KAFKA = KafkaSettings(bootstrap_servers="localhost:1")
S3 = S3Settings(endpoint="http://localhost:1")

Opening = Callable[[Settings], AbstractAsyncContextManager[object]]

WHOLE: dict[str, Opening] = {
    "ports": open_ports,
    "engine": lambda settings: open_engine(settings, choose=lambda _: standin_vision()),
}
PARTS: dict[str, Opening] = {
    "stages": lambda settings: open_stages(settings, ["match"], lambda _: standin_vision()),
    "folder": lambda settings: open_folder_producer(settings, settings.data_dir.parent),
    "bucket": lambda settings: open_bucket_producer(settings, "dropoff"),
}


def mixed(folder: Path, kafka: bool, s3: bool, alone: bool = False) -> Settings:
    return Settings(
        data_dir=folder / "data",
        alone=alone,
        kafka=KAFKA if kafka else KafkaSettings(),
        s3=S3 if s3 else S3Settings(),
    )


@pytest.mark.parametrize(
    ("kafka", "s3", "part", "missing"),
    [
        (False, False, False, None),
        (False, False, True, None),
        (True, True, False, None),
        (True, True, True, None),
        (True, False, False, "S3_ENDPOINT"),
        (True, False, True, "S3_ENDPOINT"),
        (False, True, False, None),
        (False, True, True, "KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_what_is_split_is_refused_unless_one_data_folder_is_alone(
    tmp_path: Path, kafka: bool, s3: bool, part: bool, missing: str | None
) -> None:
    if missing is None:
        refuse_split(mixed(tmp_path, kafka, s3), part)
    else:
        with pytest.raises(SettingsError, match=f"set {missing}, too, or TAGGER_ALONE=true"):
            refuse_split(mixed(tmp_path, kafka, s3), part)

    refuse_split(mixed(tmp_path, kafka, s3, alone=True), part)


@pytest.mark.parametrize("opening", [*WHOLE.values(), *PARTS.values()], ids=[*WHOLE, *PARTS])
async def test_nothing_opens_on_kafka_with_state_in_a_folder(
    tmp_path: Path, opening: Opening
) -> None:
    with pytest.raises(SettingsError, match="S3_ENDPOINT is not"):
        async with opening(mixed(tmp_path, kafka=True, s3=False)):
            pass


@pytest.mark.parametrize("opening", PARTS.values(), ids=PARTS)
async def test_no_part_opens_on_shared_state_with_a_log_in_a_folder(
    tmp_path: Path, opening: Opening
) -> None:
    with pytest.raises(SettingsError, match="KAFKA_BOOTSTRAP_SERVERS is not"):
        async with opening(mixed(tmp_path, kafka=False, s3=True)):
            pass


def test_health_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "localhost:1")

    result = CliRunner().invoke(app, ["health", "--json", "--data-dir", str(tmp_path)])

    [state] = [c for c in json.loads(result.stdout)["checks"] if c["name"] == "state"]
    assert result.exit_code == 2
    assert "TAGGER_ALONE=true" in state["detail"]

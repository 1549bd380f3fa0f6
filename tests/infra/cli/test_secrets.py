"""No command and no log line says a password, wherever its user has put it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import Settings
from tests.servers.process import free_port

SCRIPT = (sys.executable, "-c", "from infra.cli import main; main()")
PASSWORD = "hunter2-and-more"
URL = f"http://somebody:{PASSWORD}@127.0.0.1:1"
ADDRESSES = {
    "S3_ENDPOINT": (URL, "S3_SECRET_KEY"),
    "QDRANT_URL": (URL, "QDRANT_API_KEY"),
    "TAGGER_OTLP_ENDPOINT": (URL, "OTEL_EXPORTER_OTLP_HEADERS"),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (URL, "OTEL_EXPORTER_OTLP_HEADERS"),
    "KAFKA_BOOTSTRAP_SERVERS": (
        f"127.0.0.1:1,somebody:{PASSWORD}@127.0.0.1:2",
        "KAFKA_SASL_PASSWORD",
    ),
}


def said(tmp_path: Path, *words: str, **settings: str) -> str:
    """All that a command prints and logs, at the most talkative level."""
    command = [*SCRIPT, *words]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "TAGGER_DATA_DIR": str(tmp_path / "data"),
        "TAGGER_ALONE": "true",
        "TAGGER_LOG_LEVEL": "debug",
        **settings,
    }
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode != 0
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_with_a_password_is_refused_with_the_setting_that_takes_it(
    name: str, tmp_path: Path
) -> None:
    value, instead = ADDRESSES[name]

    words = said(tmp_path, "health", **{name: value, "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "b"})

    assert PASSWORD not in words
    assert instead in words
    assert "Traceback" not in words


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_in_a_file_is_refused_like_one_in_the_environment(
    name: str, tmp_path: Path
) -> None:
    value, instead = ADDRESSES[name]
    (tmp_path / ".env").write_text(f"{name}={value}\n")

    words = said(tmp_path, "topics", "list")

    assert PASSWORD not in words
    assert instead in words


@pytest.mark.parametrize("option", ["--broker", "--store"])
def test_a_document_to_be_handed_out_takes_no_password(option: str, tmp_path: Path) -> None:
    words = said(tmp_path, "asyncapi", option, f"{URL}/bucket")

    assert PASSWORD not in words
    assert option in words


def test_a_password_in_percent_signs_is_one_too(tmp_path: Path) -> None:
    url = f"http://somebody:{PASSWORD}%40127.0.0.1:1"

    assert PASSWORD not in said(tmp_path, "health", S3_ENDPOINT=url)


def test_a_section_that_is_no_json_is_not_repeated(tmp_path: Path) -> None:
    section = f'{{"sasl_password": "{PASSWORD}'

    words = said(tmp_path, "health", TAGGER_KAFKA=section)

    assert PASSWORD not in words
    assert "kafka" in words
    assert "Traceback" not in words


def test_an_error_about_a_setting_does_not_repeat_it_to_whoever_builds_them() -> None:
    with pytest.raises(ValueError, match="s3") as refused:
        Settings.model_validate({"s3": {"endpoint": URL, "secret_key": {"x": PASSWORD}}})

    assert PASSWORD not in str(refused.value)


def test_logins_are_not_said_while_servers_are_away(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"

    words = said(
        tmp_path,
        "health",
        KAFKA_BOOTSTRAP_SERVERS=away,
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_USERNAME="somebody",
        KAFKA_SASL_PASSWORD=PASSWORD,
        S3_ENDPOINT=f"http://{away}",
        S3_ACCESS_KEY="somebody",
        S3_SECRET_KEY=PASSWORD,
        QDRANT_URL=f"http://{away}",
        QDRANT_API_KEY=PASSWORD,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{away}",
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Basic {PASSWORD}",
    )

    assert away in words
    assert PASSWORD not in words

"""The document for other systems: in step with the models, and true of what the encoder writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from core.envelope import Event, encode
from core.errors import SettingsError
from core.events import TOPICS, Data
from infra.cli import app
from infra.contract.document import as_yaml, asyncapi_document
from tests.core.samples import SAMPLES

KEPT = Path(__file__).parents[3] / "infra" / "contract" / "asyncapi.yaml"
_CLIENTS_OWN = {"ce_tenant"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi_document()


def test_the_file_in_the_repository_is_todays(document: dict[str, Any]) -> None:
    assert KEPT.read_text("utf-8") == as_yaml(document), (
        "renew it: tagger asyncapi --write infra/contract/asyncapi.yaml"
    )


def test_text_and_document_say_the_same(document: dict[str, Any]) -> None:
    assert yaml.safe_load(as_yaml(document)) == document


def test_every_topic_is_a_channel(document: dict[str, Any]) -> None:
    addresses = [channel["address"] for channel in document["channels"].values()]

    assert addresses == list(TOPICS)


@pytest.mark.parametrize("event", SAMPLES.values(), ids=SAMPLES.keys())
def test_every_header_that_the_encoder_writes_is_described(
    document: dict[str, Any], event: Event[Data]
) -> None:
    headers = document["components"]["schemas"]["Headers"]
    assert len(headers["required"]) > 5

    written = encode(event).headers.keys() | encode(event, dataref="key").headers.keys()

    assert written - headers["properties"].keys() == _CLIENTS_OWN
    assert written.issuperset(headers["required"])


def test_a_deployment_names_its_own_servers() -> None:
    servers = asyncapi_document("kafka-1:9093", "https://s3.example.com/wardrobe")["servers"]

    assert servers["log"]["variables"]["broker"]["default"] == "kafka-1:9093"
    assert servers["objects"]["protocol"] == "https"
    assert servers["objects"]["variables"]["store"]["default"] == "s3.example.com"
    assert servers["objects"]["variables"]["bucket"]["default"] == "wardrobe"


@pytest.mark.parametrize("url", ["", "localhost:9000/tagger", "http://localhost:9000/", "s3://b"])
def test_a_store_that_is_no_url_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="URL of a bucket"):
        asyncapi_document(store=url)


def test_check_fails_until_write_has_renewed_the_file(tmp_path: Path) -> None:
    file = tmp_path / "asyncapi.yaml"
    file.write_text("asyncapi: 3.1.0\n")
    tagger = CliRunner()

    stale = tagger.invoke(app, ["asyncapi", "--check", str(file)])
    tagger.invoke(app, ["asyncapi", "--write", str(file)])
    fresh = tagger.invoke(app, ["asyncapi", "--check", str(file)])
    printed = tagger.invoke(app, ["asyncapi"])

    assert isinstance(stale.exception, SettingsError)
    assert "--write" in str(stale.exception)
    assert fresh.exit_code == 0
    assert printed.stdout == file.read_text("utf-8")

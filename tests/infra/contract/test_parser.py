"""What AsyncAPI's own parser finds in the document, and the document in events of ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.infra.contract.conftest import Node
from tests.infra.contract.test_document import KEPT

GOLDEN = Path(__file__).parents[2] / "core" / "golden"
OF_A_MEDIUM = sorted(path for path in GOLDEN.glob("*.json") if path.stem != "dead.letters.v1")


def golden_event(path: Path) -> dict[str, Any]:
    golden = json.loads(path.read_text())
    topic = path.stem.rpartition(".v")[0]
    return {"topic": topic, "headers": golden["headers"], "payload": golden["data"]}


def findings(node: Node, tmp_path: Path, events: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is wrong with each event, and under ``document`` with the document itself."""
    files = {name: tmp_path / f"{name}.json" for name in events}
    for name, file in files.items():
        file.write_text(json.dumps(events[name]))
    done = node("validate.mjs", KEPT, *files.values())
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wrong = {name: found["wrong"][str(file)] for name, file in files.items()}
    return {"document": found["diagnostics"], **wrong}


def test_the_parser_finds_nothing_wrong_nor_to_improve(node: Node, tmp_path: Path) -> None:
    assert findings(node, tmp_path, {}) == {"document": []}


def test_events_of_every_age_follow_the_document(node: Node, tmp_path: Path) -> None:
    events = {path.stem: golden_event(path) for path in OF_A_MEDIUM}

    found = findings(node, tmp_path, events)

    assert len(events) >= 9
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


def test_a_dead_letter_follows_the_document_whatever_its_value(node: Node, tmp_path: Path) -> None:
    golden = json.loads((GOLDEN / "dead.letters.v1.json").read_text())
    letter = {**golden["headers"], "dead_letter": json.dumps(golden["data"])}
    headers = {**letter, "content-type": "application/octet-stream"}
    event = {"topic": "dead.letters", "headers": headers, "payload": "no JSON"}

    assert findings(node, tmp_path, {"letter": event})["letter"] == []


@pytest.mark.parametrize(
    ("part", "name", "value", "sentence"),
    [
        ("headers", "ce_id", None, "must have required property 'ce_id'"),
        ("headers", "ce_type", "media.framed.v1", "/ce_type must be equal to constant"),
        ("headers", "ce_purpose", "sale", "/ce_purpose must be equal to one of the allowed values"),
        ("payload", "status", None, "must have required property 'status'"),
        ("payload", "revision", "3", "/revision must be integer"),
    ],
)
def test_the_document_finds_what_is_wrong_with_an_event(
    node: Node, tmp_path: Path, part: str, name: str, value: str | None, sentence: str
) -> None:
    event = golden_event(GOLDEN / "media.tagged.v1.json")
    if value is None:
        del event[part][name]
    else:
        event[part][name] = value

    assert findings(node, tmp_path, {"broken": event})["broken"] == [sentence]

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from infra.cli import app

COMMANDS = (
    *("demo", "run", "submit", "results", "catalog add", "health", "settings"),
    *("topics list", "topics tail", "dlq list", "dlq show", "dlq redrive"),
)


def test_all_commands_are_listed() -> None:
    listed = CliRunner().invoke(app, ["--help"]).stdout

    assert [name for name in COMMANDS if name.split()[0] not in listed] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_takes_a_data_folder(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"])

    assert result.exit_code == 0
    assert command in result.stdout
    assert ("--data-dir" in result.stdout) or command == "settings"


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(app, ["taag"]).exit_code == 2

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.errors import SettingsError
from infra.cli import app
from infra.contract.settings_table import settings_table, with_table

DOCUMENT = "# Title\n<!-- settings -->\nold\n<!-- /settings -->\nthe end\n"


def test_every_setting_has_a_row_with_its_variable_default_and_meaning() -> None:
    table = settings_table()

    assert "| `TAGGER_DATA_DIR` | `tagger-data` |" in table
    assert "| `TAGGER_MEDIA__WORKERS` |" in table
    assert "`TEXT_PROMPT`" in table
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    assert [row for row in rows if len(row) != 3 or not all(row)] == []


def test_only_what_is_between_the_markers_is_renewed() -> None:
    renewed = with_table(DOCUMENT)

    assert renewed.startswith("# Title\n<!-- settings -->\n| setting |")
    assert renewed.endswith("<!-- /settings -->\nthe end\n")
    assert with_table(renewed) == renewed


@pytest.mark.parametrize("text", ["no markers", "<!-- /settings -->\n<!-- settings -->"])
def test_a_document_without_a_place_for_the_table_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="place"):
        with_table(text)


def test_check_fails_until_write_has_renewed_the_file(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(DOCUMENT)
    tagger = CliRunner()

    stale = tagger.invoke(app, ["settings", "--check", str(readme)])
    tagger.invoke(app, ["settings", "--write", str(readme)])
    fresh = tagger.invoke(app, ["settings", "--check", str(readme)])

    assert "--write" in str(stale.exception)
    assert fresh.exit_code == 0

"""What the ledger holds of one file is that file's trouble alone."""

from __future__ import annotations

from pathlib import Path

from core.intake.announcements import ledger_key, ledger_prefix
from core.intake.intake import Announced, Submission
from core.state.unreadable import unreadable
from tests.producers.engine import Engine, photo


async def test_a_damaged_entry_of_the_ledger_costs_its_own_file_one_more_look(
    engine: Engine, tmp_path: Path
) -> None:
    files = [_write(tmp_path / f"{name}.jpg", photo(name)) for name in "ab"]
    submissions = [
        Submission(path, f"x:{path.name}", "folder", place="x:", repeat=False) for path in files
    ]
    first = await engine.intake().announce_many(submissions)
    entries = await engine.state.scan(ledger_prefix("folder", "x:"))
    damaged = ledger_key("folder", "x:", "x:a.jpg")
    other = next(value for key, value in entries if key != damaged)

    for value in (b"\xff", b"{}", other):
        await engine.state.put([(damaged, value)])
        assert await engine.intake().recover("folder", "x:") == 0
        assert [found.key for found in await unreadable(engine.state)] == [damaged]
        again = await engine.intake().announce_many(submissions)

        assert [one.root for one in again if isinstance(one, Announced)] == [
            one.root for one in first if isinstance(one, Announced)
        ]
        assert await unreadable(engine.state) == []


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path

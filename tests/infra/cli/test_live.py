from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from infra.cli.show.live import duration, left_out, line, picture
from infra.watching.status import StageStatus, Status
from producers.folder import FolderStatus

FOLDER = FolderStatus(
    state="watching",
    reason="",
    seen=40,
    announced=37,
    ignored={},
    settling=3,
    undecodable=1,
    unreadable=0,
)


def status(**changed: object) -> Status:
    known: dict[str, object] = {
        "tagged": 12,
        "failed": 1,
        "waiting": 30,
        "rate": 3.0,
        "remaining_s": 10.0,
        "stages": (StageStatus("frames", 4, 2, None), StageStatus("segment", 0, 0, None)),
        "folders": ((Path("photos"), FOLDER),),
    }
    return Status(**{**known, **changed})  # type: ignore[arg-type]


def text(shown: Status) -> str:
    console = Console(width=160, record=True)
    with console.capture() as capture:
        console.print(picture(shown))
    return capture.get()


def test_the_line_says_what_is_done_what_waits_and_how_long_it_takes() -> None:
    assert line(status()) == "12 tagged, 1 failed, 30 waiting, 3.0/s, 10 s left"


def test_without_a_rate_nobody_promises_an_end() -> None:
    assert line(status(rate=0.0, remaining_s=None)).endswith("30 waiting, 0.0/s")


def test_when_nothing_waits_the_line_is_short() -> None:
    assert line(status(waiting=0, remaining_s=0.0)) == "12 tagged, 1 failed, 0 waiting"


def test_files_of_other_kinds_are_counted_by_extension() -> None:
    one, other = (
        replace(FOLDER, ignored={".psd": 2, ".txt": 1}),
        replace(FOLDER, ignored={".psd": 3}),
    )
    watched = ((Path("photos"), one), (Path("more"), other))

    assert line(status(folders=watched)).endswith(", not read: 5 .psd, 1 .txt")


def test_a_pause_is_said_with_its_reason() -> None:
    paused = status(stages=(StageStatus("frames", 4, 0, "disk full"),))

    assert line(paused).endswith("paused: frames: disk full")
    assert "nothing is lost" in text(paused)


def test_the_picture_shows_each_stages_backlog_and_each_folder() -> None:
    shown = text(status())

    assert "frames" in shown
    assert "photos  watching  40 media, 3 arriving, 37 announced, 1 undecodable so far" in shown


def test_what_was_not_taken_in_is_said_with_its_reason() -> None:
    refusing = replace(FOLDER, too_large=2, no_room=1, why="a.mp4: 150 MiB do not fit")
    shown = status(folders=((Path("photos"), refusing),))

    assert "2 too large, 1 without room  a.mp4: 150 MiB do not fit" in text(shown)
    assert left_out(shown) == ["photos: 2 too large, 1 without room; a.mp4: 150 MiB do not fit"]
    assert left_out(status()) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (95, "2 min"), (3600, "60 min"), (12_060, "3 h 21 min")],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words

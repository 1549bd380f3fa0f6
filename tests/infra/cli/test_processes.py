"""Real processes: the console script, signals, and two of them on one data folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from infra.running.engine import engine_process
from tests.infra.cli.conftest import Tagger, lines
from tests.infra.running.standin_engine import quick, tag_all
from tests.vision_standin import png

SCRIPT = (sys.executable, "-c", "from infra.cli import main; main()")
HEAVY = {"numpy", "cv2", "onnxruntime", "pydantic", "structlog", "av", "faiss", "sqlite3"}
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the console script to its end."""
    words = [str(argument) for argument in arguments]
    return subprocess.run(
        [*SCRIPT, *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=170, check=False
    )


@contextmanager
def service(data_dir: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """An engine that watches a folder, in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.infra.running.standin_service",
        str(data_dir),
        str(folder),
    ]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "running\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.png").write_bytes(png("red", "green", side=90 + number))
    return folder


def test_help_is_there_before_anything_heavy_is() -> None:
    code = (
        "import sys; sys.argv = ['tagger', '--help']\n"
        "from infra.cli import main\n"
        "try: main()\n"
        f"finally: print(*({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )

    assert "Dropped videos and photos" in shown.stdout
    assert shown.stderr.strip() == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("results", "--data-dir", "{missing}"),
        ("catalog", "add", "{empty}", "--data-dir", "{missing}"),
        ("settings", "--check", "{missing}"),
        ("health", "--data-dir", "{file}/below"),
    ],
)
def test_what_a_user_can_mend_is_one_line_and_no_traceback(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    places = {name: str(tmp_path / name) for name in ("missing", "empty", "file")}

    ended = script(*(argument.format(**places) for argument in arguments))

    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 1


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*SCRIPT, "submit", "x.jpg", "--data-dir", str(tmp_path)],
        env={**ENVIRONMENT, "TAGGER_MEDIA__WORKERS": "many"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("tagger: setting TAGGER_MEDIA__WORKERS")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_in_order_with_all_its_children(
    data_dir: Path, photos: Path, number: signal.Signals
) -> None:
    with service(data_dir, photos) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)

        assert process.wait(30) == 0

    assert engine_process(quick(data_dir)) is None
    assert psutil.wait_procs(children, timeout=5)[1] == []


def test_a_second_signal_ends_at_once_and_loses_nothing(
    tagger: Tagger, data_dir: Path, photos: Path
) -> None:
    with service(data_dir, photos) as process:
        time.sleep(0.7)  # somewhere in the middle of it
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        # A shell says 130 of both: of our exit, and of one that the interpreter, which was just
        # ending, left to the system.
        assert process.wait(30) in (0, 130, -signal.SIGINT)

    tag_all(data_dir, photos)

    results = lines(tagger("results", "--json"))
    assert sorted(one["filename"] for one in results) == sorted(p.name for p in photos.iterdir())
    assert all(one["status"] == "complete" and one["revision"] == 1 for one in results)


def test_killed_and_started_again_everything_is_tagged_once(
    tagger: Tagger, data_dir: Path, photos: Path
) -> None:
    with service(data_dir, photos) as process:
        time.sleep(1.0)  # somewhere in the middle of it
        process.kill()

    tag_all(data_dir, photos)

    assert len(lines(tagger("topics", "tail", "media.uploaded", "--json"))) == 12
    assert {one["revision"] for one in lines(tagger("results", "--json"))} == {1}


def test_a_second_engine_says_who_is_the_first_and_what_works_beside_it(
    data_dir: Path, photos: Path
) -> None:
    with service(data_dir, photos) as process:
        ended = script("run", "--data-dir", data_dir)

        assert ended.returncode == 1
        assert f"process {process.pid}" in ended.stderr
        assert "tagger submit" in ended.stderr


def test_submit_waits_for_an_engine_in_another_process(
    data_dir: Path, photos: Path, tmp_path: Path
) -> None:
    look = tmp_path / "look.png"
    look.write_bytes(png("black"))

    with service(data_dir, photos):
        ended = script("submit", look, "--wait", "--data-dir", data_dir)

    assert ended.returncode == 0, ended.stderr
    assert "black thing" in ended.stdout


def test_alone_submit_is_the_engine_until_its_file_is_done(data_dir: Path, tmp_path: Path) -> None:
    look = tmp_path / "look.png"
    look.write_bytes(png("red", side=320))

    ended = script("submit", look, "--wait", "--json", "--data-dir", data_dir)

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["status"] == "complete"
    assert engine_process(quick(data_dir)) is None


def test_a_folder_of_files_that_are_not_read_never_looks_like_success(
    tagger: Tagger, data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "designs"
    folder.mkdir()
    for name in ("a.psd", "b.psd", "c.txt"):
        (folder / name).write_bytes(b"8BPS")

    ended = script("run", "--watch", folder, "--once", "--data-dir", data_dir)

    assert ended.returncode == 1
    assert "0 tagged, 0 failed, 0 waiting, not read: 2 .psd, 1 .txt" in ended.stderr
    assert f"nothing in {folder} is read here; read are JPEG" in ended.stderr
    found = json.loads(tagger("health", "--json").stdout)["checks"]
    (watched,) = (check for check in found if check["name"] == "watched")
    assert watched["level"] == "degraded"
    assert "2 .psd, 1 .txt" in watched["detail"]

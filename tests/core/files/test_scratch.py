"""Files for the moment go with their process, also with one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import core
from core.errors import OutageError
from core.files.scratch import Scratch, temporary_folder

_DIE = """
import os, signal, sys
from pathlib import Path
from core.files.scratch import Scratch, temporary_folder
with temporary_folder(Scratch(Path(sys.argv[1])).path) as folder:
    (folder / "frame.jpg").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_nothing_to_the_next(tmp_path: Path) -> None:
    source = str(Path(core.__file__).parents[1])
    subprocess.run(
        [sys.executable, "-P", "-c", _DIE, str(tmp_path)],
        check=False,
        env={**os.environ, "PYTHONPATH": source},
        timeout=60,
    )
    assert list(tmp_path.rglob("frame.jpg"))

    Scratch(tmp_path).close()

    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


def test_folders_of_the_living_stay(tmp_path: Path) -> None:
    living = Scratch(tmp_path)

    with temporary_folder(living.path) as folder:
        Scratch(tmp_path).close()

        assert folder.is_dir()
    assert not folder.exists()
    living.close()
    assert not living.path.exists()


def test_a_place_that_takes_no_folder_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(OutageError, match="No such file"), temporary_folder(tmp_path / "gone"):
        pass

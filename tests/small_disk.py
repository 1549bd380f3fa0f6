"""A file system of a few megabytes, in a mount namespace of its own: nobody has to be root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(mount_on: Path, options: str) -> Iterator[Path]:
    """A tmpfs with these mount options (``size=8m,nr_inodes=50``), seen through its namespace's
    root; skips the test where none can be had."""
    mount_on.mkdir(parents=True)
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && echo mounted && exec cat'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    try:
        keeper = subprocess.Popen(
            [*command, str(mount_on)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    with keeper:
        assert keeper.stdout is not None
        assert keeper.stdin is not None
        assert keeper.stderr is not None
        if keeper.stdout.readline() != b"mounted\n":
            keeper.stdin.close()
            pytest.skip(f"no small disk can be mounted here: {keeper.stderr.read().decode()}")
        try:
            yield Path(f"/proc/{keeper.pid}/root{mount_on}")
        finally:
            keeper.stdin.close()


def fill(file: Path) -> None:
    """Until the disk takes no more."""
    piece = bytes(1 << 16)
    try:
        with file.open("wb", buffering=0) as stream:
            while stream.write(piece):
                pass
    except OSError:
        return


def use_up_inodes(folder: Path) -> None:
    """Until no file can be made any more."""
    folder.mkdir()
    try:
        for number in range(1_000_000):
            (folder / str(number)).touch()
    except OSError:
        return

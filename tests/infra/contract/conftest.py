from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.cache import Cached, FetchError, run, tool
from tests.servers.session import unavailable

SCRIPTS = Path(__file__).parents[2] / "node"
PACKAGES = ("package.json", "package-lock.json")

Node = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Runs a script of ``tests/node`` with its arguments, to its end."""
    try:
        program = tool("node")
        packages = _packages.folder()
    except FetchError as missing:
        unavailable(f"no Node here: {missing}")
    # A module finds its packages in the folder where it lies, or above.
    folder = tmp_path_factory.mktemp("node")
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, folder)
    (folder / "node_modules").symlink_to(packages / "node_modules")

    def run_script(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [program, str(folder / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run_script


def _install(folder: Path) -> None:
    for name in PACKAGES:
        shutil.copy(SCRIPTS / name, folder)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def _wanted() -> str:
    made_of = b"".join((SCRIPTS / name).read_bytes() for name in PACKAGES)
    return hashlib.sha256(made_of).hexdigest()[:12]


_packages = Cached(f"node-{_wanted()}", _install)

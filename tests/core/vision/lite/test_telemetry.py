"""Nothing is reported to anybody about what is run here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import core


def test_the_runtime_keeps_no_identifier(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORT_")}
    source = str(Path(core.__file__).parents[1])
    command = [
        sys.executable,
        "-P",
        "-c",
        "import core.vision.lite.network, core.vision.lite.people.pose",
    ]

    subprocess.run(
        command, check=True, env={**kept, "TMPDIR": str(tmp_path), "PYTHONPATH": source}, timeout=60
    )

    assert list(tmp_path.iterdir()) == []

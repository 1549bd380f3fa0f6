"""``python -m core.vision.lite.train --data DIR --out DIR``: from photos to ``lite.onnx``.

Runs stage after stage; a stage whose artefact lies in the output folder is skipped.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from core.vision.lite.train.pipeline import run
from core.vision.lite.train.recipe import RECIPES


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m core.vision.lite.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for artefacts")
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="shipped")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    begin = time.monotonic()

    def report(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begin:7.0f} s  {line}\n")

    run(options.data, options.out, RECIPES[options.recipe], options.threads, report)


if __name__ == "__main__":
    main()

"""What ``tagger --help`` costs, against an interpreter that does nothing and one with its library.

``python -m tests.bench.help_speed [--runs N]``: the least processor seconds of N runs each.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

PROGRAMS = {
    "python": "pass",
    "import typer, rich": "import typer, rich.console",
    "tagger --help": "import sys; sys.argv[1:] = ['--help']; from infra.cli import main; main()",
}


def spent(code: str) -> float:
    """Processor seconds of one process, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    least = {name: min(spent(code) for _ in range(runs)) for name, code in PROGRAMS.items()}
    for name, seconds in least.items():
        print(f"{name:20} {seconds:.2f} s  {seconds / least['python']:.1f}x")


if __name__ == "__main__":
    main()

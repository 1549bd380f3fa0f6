"""What one thread spares where FAISS compares a handful of vectors beside busy processors.

Run as ``python -m tests.bench.faiss_threads``. Compares a medium's items with each other as
``near_duplicates`` does, on one thread and on as many as FAISS takes by itself, beside a busy
process a processor. Rounds of both alternate in one process; the median of each counts. Prints the
ratios of the time that passes and of the processor time, which counts all threads.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import faiss
import numpy as np

from core.events import Vectors


class Cost(NamedTuple):
    """Of one comparison, in microseconds."""

    passed_us: float
    worked_us: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=8)
    parser.add_argument("--calls", type=int, default=200, help="calls of a round")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    threads = faiss.omp_get_max_threads()
    rows = np.random.default_rng(0).normal(size=(arguments.items, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)

    rounds: dict[int, list[Cost]] = {1: [], threads: []}
    with busy(os.cpu_count() or 1):
        for _ in range(arguments.rounds):
            for number, costs in rounds.items():
                faiss.omp_set_num_threads(number)
                costs.append(_round(rows, arguments.calls))

    one, default = (_median(rounds[number]) for number in (1, threads))
    print(f"{arguments.items} items of 512, {os.cpu_count()} busy processors")
    print(f"one thread: {one.passed_us:.0f} us, {one.worked_us:.0f} us of processor time")
    print(f"{threads} threads: {default.passed_us:.0f} us, {default.worked_us:.0f} us")
    print(
        f"one thread is {default.passed_us / one.passed_us:.1f} times as fast, at 1/"
        f"{default.worked_us / one.worked_us:.1f} of the processor time"
    )


def _round(rows: Vectors, calls: int) -> Cost:
    passed, worked = time.perf_counter(), time.process_time()
    for _ in range(calls):
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        index.range_search(rows, 0.9)
    passed, worked = time.perf_counter() - passed, time.process_time() - worked
    return Cost(passed / calls * 1e6, worked / calls * 1e6)


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*costs, strict=True)))


@contextmanager
def busy(processes: int) -> Iterator[None]:
    others = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(processes)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()

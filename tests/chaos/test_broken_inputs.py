"""Broken inputs get a reason each, and cost nobody else anything."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import psutil
import pytest

from core.settings import Settings
from tests.chaos import kept
from tests.chaos.broken import MEMORY_LIMIT_MB, TIME_LIMIT_S, BrokenFile, write_broken
from tests.chaos.kept import Kept
from tests.chaos.media import write_looks
from tests.chaos.tagger import Run, Tagger

_LIMITS = {
    "TAGGER_MEDIA__MEMORY_LIMIT_MB": str(MEMORY_LIMIT_MB),
    "TAGGER_MEDIA__TIME_LIMIT_S": str(TIME_LIMIT_S),
}
_WAVE_S = 900.0
_SAMPLES = 5
_FEW = 4
_NOISE_BYTES = 64 << 20


@pytest.mark.timeout(600)
async def test_fifty_broken_inputs_get_a_reason_each(tmp_path: Path) -> None:
    await _expect_reasons(tmp_path, count=50, killers=1, good=8, wave=29, seed=3)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_five_hundred_broken_inputs_get_a_reason_each(tmp_path: Path) -> None:
    await _expect_reasons(tmp_path, count=500, killers=3, good=100, wave=120, seed=4)


@dataclass(frozen=True, slots=True)
class _Held:
    """What a process holds while it has nothing to do."""

    threads: int
    files: int
    resident_bytes: int


async def _expect_reasons(
    folder: Path, *, count: int, killers: int, good: int, wave: int, seed: int
) -> None:
    broken = write_broken(folder / "broken", count, seed, killers)
    looks = write_looks(folder / "looks", good - good // 20, good // 20, 0, seed)
    files = _mixed([one.path for one in broken], looks)
    tagger = Tagger(folder, folder / "data", _LIMITS)

    held = _drop_in_waves(tagger, folder / "watched", files, wave)

    assert tagger.leftovers() == []
    found = await kept.read(Settings(data_dir=tagger.data))
    assert kept.unclean(tagger.data) == []
    assert set(found.waiting.values()) == {0}
    assert found.marks == []
    _expect_one_letter_each(found, broken)
    _expect_failed_results(found, broken)
    results = {tagged.filename: tagged.status for tagged in found.results.values()}
    assert {look.name: results.get(look.name) for look in looks} == dict.fromkeys(
        (look.name for look in looks), "complete"
    )
    _expect_no_leak(held)


def _drop_in_waves(tagger: Tagger, watched: Path, files: Sequence[Path], wave: int) -> list[_Held]:
    """What the engine held after each wave of files."""
    watched.mkdir()
    held: list[_Held] = []
    contents: set[bytes] = set()
    with tagger.running("run", "--watch", str(watched)) as run:
        for start in range(0, len(files), wave):
            for file in files[start : start + wave]:
                contents.add(sha256(file.read_bytes()).digest())
                shutil.copyfile(file, watched / file.name)
            done = partial(_results, tagger.data, len(contents))
            assert run.until(done, _WAVE_S), f"after {start} files:\n{run.said()}"
            held.append(_held(run))
        run.stop()
    return held


def _results(data: Path, wanted: int) -> bool:
    folder = data / "blobs" / "results"
    return folder.is_dir() and sum(1 for _ in folder.iterdir()) >= wanted


def _held(run: Run) -> _Held:
    """The least of some looks: what is on its way is not held."""
    process = psutil.Process(run.pid)
    looks = []
    for _ in range(_SAMPLES):
        process.cpu_percent(0.2)
        looks.append((process.num_threads(), process.num_fds(), process.memory_info().rss))
    threads, files, resident = zip(*looks, strict=True)
    return _Held(min(threads), min(files), min(resident))


def _expect_one_letter_each(found: Kept, broken: Sequence[BrokenFile]) -> None:
    reasons: dict[str, list[str]] = {}
    for letter in found.letters:
        name = found.uploads[letter.data.origin_headers["ce_id"]].filename
        reasons.setdefault(name, []).append(letter.data.reason)
    assert Counter({name: len(told) for name, told in reasons.items()}) == Counter(
        one.path.name for one in broken
    )
    unclear = {
        one.path.name: reasons[one.path.name]
        for one in broken
        if not re.search(one.kind.words, reasons[one.path.name][0])
    }
    assert unclear == {}


def _expect_failed_results(found: Kept, broken: Sequence[BrokenFile]) -> None:
    kinds = {one.path.name: one.kind for one in broken}
    media = {
        upload.media_id: kinds[upload.filename]
        for upload in found.uploads.values()
        if upload.filename in kinds
    }
    assert len(media) == len({one.path.read_bytes() for one in broken})
    told = {one: (found.results[one].status, found.results[one].reason or "") for one in media}
    assert {status for status, _ in told.values()} == {"failed"}
    assert [one for one, kind in media.items() if not re.search(kind.words, told[one][1])] == []


def _expect_no_leak(held: Sequence[_Held]) -> None:
    first, last = held[0], held[-1]
    assert last.threads <= first.threads + _FEW, held
    assert last.files <= first.files + _FEW, held
    assert last.resident_bytes <= first.resident_bytes + _NOISE_BYTES, held


def _mixed(broken: Sequence[Path], good: Sequence[Path]) -> list[Path]:
    """Good ones evenly among the broken ones."""
    every = len(broken) / len(good)
    placed = [(n, path) for n, path in enumerate(broken)]
    placed += [(round(n * every), path) for n, path in enumerate(good)]
    return [path for _, path in sorted(placed)]

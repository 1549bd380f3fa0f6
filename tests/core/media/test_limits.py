"""Time limits follow from what was decoded; who worked through one gets no second try."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import DecoderDiedError, DoesNotFitError, OutageError, TimeLimitError
from core.media.children import DecoderPool
from core.media.decode import Decoder
from core.media.limits import Progress, TimeLimit
from core.media.options import DecodeOptions
from core.media.requests import Job
from core.media.video import decode_video
from tests.core.media.clips import scenes, write_clip
from tests.core.media.conftest import HOSTILE, MEMORY_BYTES
from tests.core.media.pictures import halves
from tests.producers.engine import eventually
from tests.small_disk import small_disk, use_up_inodes

STILL = 5888 * 5888
VIDEO = TimeLimit(1800.0, 30.0, 50e6)
"""Of a medium with the options that are the default."""


def job(name: str, **arguments: Any) -> Job[Any]:
    return Job(name, lambda answer: answer, arguments)


def gives(frames: int, then: str, pixels: int = 640 * 480) -> Job[Any]:
    return job("frames_for", frames=frames, pixels=pixels, then=then)


def begun(marker: Path) -> int:
    return len(marker.read_text().splitlines())


@pytest.mark.parametrize(
    ("pixels", "seconds"),
    [(0, 30.0), (50_000_000, 31.0), (100 * STILL, 30 + 2 * STILL / 1e6), (10**12, 1800.0)],
)
def test_a_video_may_take_as_long_as_its_pixels_are_worth(pixels: int, seconds: float) -> None:
    assert VIDEO.after(pixels) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("pixels", "last_s", "words"),
    [
        (0, 0.0, "no new frame for 30 s"),
        (10**10, 100.0, "no new frame for 30 s"),
        (10**9, 49.0, r"longer than 50 s: 30 s, and one for every 50 million pixels"),
        (10**12, 1799.0, "longer than 1800 s: shorten it, or raise THE_SETTING"),
    ],
)
def test_the_words_name_the_limit_that_was_met(pixels: int, last_s: float, words: str) -> None:
    limit = TimeLimit(1800.0, 30.0, 50e6, "THE_SETTING")

    assert re.search(words, limit.broken(pixels, last_s))


def test_progress_is_told_at_most_once_a_second_and_small_frames_count_for_something() -> None:
    now, told = 0.0, list[int]()
    progress = Progress(told.append, lambda: now)

    for _ in range(12):
        progress.frame(16, 16)
        now += 0.25

    assert told == [640 * 480 * frames for frames in (1, 5, 9)]


async def test_a_job_that_works_until_its_time_is_over_is_not_begun_again(
    pool: DecoderPool, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"

    with pytest.raises(TimeLimitError, match=r"longer than 1 s"):
        await pool.run(job("spin", marker=str(marker)), limit=TimeLimit(1.0))

    assert begun(marker) == 1
    assert await pool.run(job("pid")) > 0


async def test_a_job_that_gives_no_new_frame_ends_long_before_its_limit(pool: DecoderPool) -> None:
    limit = TimeLimit(3600.0, quiet_s=1.0, pixels_per_s=1.0)

    with pytest.raises(TimeLimitError, match="no new frame for 1 s"):
        await pool.run(gives(3, "spin"), limit=limit)


async def test_what_a_child_claims_gains_it_no_more_than_the_limit_in_all(
    pool: DecoderPool,
) -> None:
    with pytest.raises(TimeLimitError, match=r"longer than 1\.5 s"):
        await pool.run(
            job("boast", claims=[1 << 60]), limit=TimeLimit(1.5, quiet_s=1.5, pixels_per_s=1.0)
        )


@pytest.mark.parametrize("claims", [[1 << 2000], [-1], [5, 5], list(range(1, 5000))])
async def test_claims_of_no_sense_cost_the_child_its_life(
    pool: DecoderPool, claims: list[int]
) -> None:
    with pytest.raises(DecoderDiedError, match="nonsense: progress"):
        await pool.run(job("boast", claims=claims))


async def test_a_child_that_somebody_stopped_costs_its_job_a_second_try(
    pool: DecoderPool, tmp_path: Path
) -> None:
    marker = str(tmp_path / "marker")

    said = await pool.run(job("stop_at_first", marker=marker), limit=TimeLimit(1.0))

    assert said == "went on"


async def test_a_job_that_stands_still_gets_a_second_try_and_no_third(pool: DecoderPool) -> None:
    with pytest.raises(DecoderDiedError, match="of a processor meanwhile.*second try"):
        await pool.run(gives(1, "pause"), limit=TimeLimit(3600.0, quiet_s=0.5))


async def test_a_job_that_kills_its_child_gets_a_second_try_and_no_third(
    pool: DecoderPool, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"

    with pytest.raises(DecoderDiedError, match="exit code 3"):
        await pool.run(job("count_deaths", marker=str(marker)))

    assert begun(marker) == 2


@pytest.mark.parametrize("workers", [1, 2, 3])
async def test_long_jobs_never_hold_the_last_worker(workers: int, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.touch()

    async with DecoderPool(workers, 60, MEMORY_BYTES, jobs=HOSTILE) as pool:
        resting = job("rest", marker=str(marker))
        long = [asyncio.create_task(pool.run(resting, long=True)) for _ in range(workers + 1)]
        await eventually(lambda: begun(marker) == workers)

        assert await pool.run(job("pid")) > 0
        assert begun(marker) == workers

        for task in long:
            task.cancel()
        await asyncio.wait(long)


async def test_a_picture_is_decoded_beside_a_video_on_a_single_worker(
    tmp_path: Path, folder: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([30, 30]))
    halves().save(tmp_path / "a.png")

    async with DecoderPool(1, 60, MEMORY_BYTES) as pool:
        decoder = Decoder(pool, DecodeOptions())
        video, picture = await asyncio.gather(
            decoder.frames(clip, "video", folder),
            decoder.frames(tmp_path / "a.png", "picture", tmp_path),
        )

    assert (len(video.frames), len(picture.frames)) == (2, 1)


async def test_a_video_that_is_too_slow_for_its_pixels_is_given_up_at_once(
    decoder: Decoder, pool: DecoderPool, tmp_path: Path, folder: Path
) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([200, 200, 200]))
    options = DecodeOptions(video_quiet_s=0.05, video_pixels_per_s=1e15)

    with pytest.raises((TimeLimitError, DecoderDiedError)):
        await Decoder(pool, options).frames(clip, "video", folder)

    assert (await decoder.frames(clip, "video", folder)).frames


async def test_a_video_whose_frames_fill_the_disk_is_no_outage(tmp_path: Path) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (12, 1200, 1600, 3), np.uint8)
    clip = write_clip(
        tmp_path / "a.mp4", [picture for picture in noise for _ in range(2)], bits=400_000_000
    )
    options = DecodeOptions(threshold=1.0, min_scene_ms=0)

    with small_disk(tmp_path / "disk", "size=19m") as disk:
        (disk / "frames").mkdir()
        with pytest.raises(DoesNotFitError, match=r"key frames do not fit: \d+ of them"):
            decode_video(clip, disk / "frames", options)


async def test_a_decoder_on_a_disk_without_inodes_says_so(decoder: Decoder, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", scenes([10]))

    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=60") as disk:
        (disk / "frames").mkdir()
        use_up_inodes(disk / "many")

        with pytest.raises(OutageError, match="no inodes left"):
            await decoder.frames(clip, "video", disk / "frames")

"""Decoding: what the children cost, and what one pass over a video costs.

Run as ``python -m tests.bench.decode_speed``. Videos are compared with a bare PySceneDetect
``detect()`` of the same clip, which finds cuts and writes nothing; pictures with the same decoding
in this process. Rounds of both sides alternate, the best of each counts: the machine may be busy.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scenedetect import ContentDetector, detect

from core.media.children import DecoderPool, default_workers
from core.media.decode import Decoder
from core.media.options import DecodeOptions
from core.media.picture import decode_picture
from core.media.video import decode_video
from tests.core.media.clips import Pixels, write_clip

OPTIONS = DecodeOptions()
SIZES = ((400, 533), (1200, 1600), (3000, 2000))
MEMORY_BYTES = 3 << 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=40, help="pictures of each size")
    parser.add_argument("--frames", type=int, default=600, help="frames of the 720p clip")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(_pictures(Path(name), arguments.pictures, arguments.rounds))
        _video(Path(name), arguments.frames, arguments.rounds)


async def _pictures(folder: Path, count: int, rounds: int) -> None:
    out = folder / "frames"
    out.mkdir()
    async with DecoderPool(default_workers(), 60, MEMORY_BYTES) as pool:
        decoder = Decoder(pool, OPTIONS)
        started = time.perf_counter()
        await decoder.warm_up()
        print(f"first child ready for pictures after {time.perf_counter() - started:.3f} s")
        await asyncio.gather(*(decoder.warm_up() for _ in range(2 * pool.workers)))
        print(f"empty round trip {await _empty_ms(decoder):.2f} ms, {pool.workers} workers")
        for size in SIZES:
            path = folder / f"{size[0]}x{size[1]}.jpg"
            Image.fromarray(_photo(size)).save(path, quality=88)

            async def alone(path: Path = path) -> None:
                for _ in range(count):
                    decode_picture(path, out, OPTIONS)

            async def one_by_one(path: Path = path) -> None:
                for _ in range(count):
                    await decoder.frames(path, "picture", out)

            async def at_once(path: Path = path) -> None:
                folders = [folder / f"out{index}" for index in range(count)]
                for each in folders:
                    each.mkdir(exist_ok=True)
                await asyncio.gather(*(decoder.frames(path, "picture", each) for each in folders))

            async def probed(path: Path = path) -> None:
                for _ in range(count):
                    await decoder.probe(path, "picture")

            seconds = await _best([alone, one_by_one, at_once, probed], rounds)
            here, child, many, probe = (value / count * 1000 for value in seconds)
            print(
                f"{size[0]}x{size[1]}: in process {here:.1f} ms, one at a time in a child "
                f"{child:.1f} ms (+{child - here:.1f}), {pool.workers} children {many:.1f} ms "
                f"({1000 / many:.0f}/s), probe {probe:.1f} ms"
            )


def _video(folder: Path, frames: int, rounds: int) -> None:
    clip = write_clip(folder / "clip.mp4", _film(frames), codec="h264")
    out = folder / "key"
    ours, bare = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        cuts = detect(str(clip), ContentDetector(min_scene_len=0.6), start_in_scene=True)
        bare.append(time.perf_counter() - started)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        started = time.perf_counter()
        decoded = decode_video(clip, out, OPTIONS)
        ours.append(time.perf_counter() - started)
        agree = [round(start.seconds * 1000) for start, _ in cuts] == [
            frame.scene_start_ms for frame in decoded.frames
        ]
    print(
        f"720p, {frames} frames, {len(decoded.frames)} scenes: bare detect "
        f"{frames / min(bare):.0f} fps, with key frames {frames / min(ours):.0f} fps, "
        f"ratio {min(bare) / min(ours):.2f}, same cuts: {agree}"
    )


async def _best(runs: list[Callable[[], Awaitable[None]]], rounds: int) -> list[float]:
    best = [float("inf")] * len(runs)
    for _ in range(rounds):
        for index, run in enumerate(runs):
            started = time.perf_counter()
            await run()
            best[index] = min(best[index], time.perf_counter() - started)
    return best


async def _empty_ms(decoder: Decoder) -> float:
    started = time.perf_counter()
    for _ in range(200):
        await decoder.warm_up()
    return (time.perf_counter() - started) / 200 * 1000


def _photo(size: tuple[int, int]) -> Pixels:
    """About as hard to code as a photograph: soft shapes and a little grain."""
    width, height = size
    dice = np.random.default_rng(7)
    shapes = dice.integers(0, 256, (max(2, height // 64), max(2, width // 64), 3), dtype=np.uint8)
    soft = cv2.resize(shapes, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = dice.normal(0, 6, (height, width, 1)).astype(np.float32)
    return np.clip(soft + grain, 0, 255).astype(np.uint8)


def _film(frames: int) -> list[Pixels]:
    """Scenes of about 5 s, each a slow pan over a large still."""
    stills = [np.roll(_photo((1600, 900)), shift, axis=2) for shift in range(3)]
    film = []
    for index in range(frames):
        at = index % 125
        film.append(stills[index // 125 % 3][at : at + 720, 2 * at : 2 * at + 1280])
    return film


if __name__ == "__main__":
    main()

"""Bar: the lite profile end to end, as a ratio to a bare loop over the same three models.

    python -m tests.bench.lite_pipeline FOLDER [--photos 200]

FOLDER holds pictures (searched recursively). The bare loop decodes each picture, finds, cuts,
writes the same crops and embeds them, one picture after the other, in this process; it stores no
event, no frame, no result, and syncs nothing. The engine does all it always does. Both use the
same loaded models; the rounds alternate, and the best of each counts.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from consumers import pixels
from core.intake.intake import Intake, Submission
from core.media.probe import kind_of
from core.settings import Settings
from core.telemetry import configure_logging
from core.vision.boxes import whole_pixels, window
from core.vision.port import Crop, Image, Profile
from infra.running.engine import Engine
from infra.wiring.adapters import open_decoder, open_ports, open_vectors
from infra.wiring.recipes import Materials
from infra.wiring.stages import RECIPES
from infra.wiring.vision import choose_profile


def bare_loop(photos: Sequence[Path], vision: Profile, folder: Path) -> int:
    """Items found, when each photo's crops are written and embedded."""
    found = 0
    for number, photo in enumerate(photos):
        image = _decode(photo)
        detections = vision.detector.detect([image], [""])
        (instances,) = vision.segmenter.segment([image], detections)
        crops = []
        for ordinal, instance in enumerate(instances):
            crop, mask = image[window(whole_pixels(instance.box, image.shape))], instance.mask
            (folder / f"{number}-{ordinal}.png").write_bytes(pixels.encode_png(crop))
            (folder / f"{number}-{ordinal}-masked.png").write_bytes(pixels.encode_png(crop, mask))
            crops.append(Crop(crop, mask))
        if crops:
            vision.embedder.embed(crops)
        found += len(crops)
    return found


def _decode(photo: Path) -> Image:
    return np.asarray(cv2.cvtColor(cv2.imread(str(photo)), cv2.COLOR_BGR2RGB), np.uint8)


async def engine(photos: Sequence[Path], vision: Profile, folder: Path) -> float:
    """Seconds from the first announcement until every result stands in the log."""
    settings = Settings(data_dir=folder)
    async with (
        open_ports(settings) as ports,
        open_vectors(settings) as vectors,
        open_decoder(settings) as decoder,
    ):
        await decoder.warm_up()
        materials = Materials(settings, ports, vision, RECIPES, vectors, decoder)
        runs = Engine(materials, RECIPES)
        started = time.perf_counter()
        task = asyncio.create_task(runs.run())
        intake = Intake(ports)
        await intake.announce_many([Submission(p, p.as_uri(), "bench") for p in photos])
        while not await runs.idle():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - started
        runs.stop()
        await task
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    pictures = (p for p in sorted(options.folder.rglob("*")) if kind_of(p.name) == "picture")
    photos = [p.absolute() for p in pictures][: options.photos]
    configure_logging("error")
    vision = choose_profile(Settings())
    with tempfile.TemporaryDirectory() as folder:
        bare_loop(photos[:5], vision, Path(folder))  # loads code and buffers
    bare_s, engine_s = [], []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            items = bare_loop(photos, vision, Path(folder))
            bare_s.append(time.perf_counter() - started)
        with tempfile.TemporaryDirectory() as folder:
            engine_s.append(asyncio.run(engine(photos, vision, Path(folder))))
        print(
            f"round {number + 1}: {items} items, bare loop {len(photos) / bare_s[-1]:.1f} photos/s,"
            f" engine {len(photos) / engine_s[-1]:.1f} photos/s"
        )
    print(f"engine / bare loop: {min(bare_s) / min(engine_s):.2f} (bar: 0.9)")


if __name__ == "__main__":
    main()

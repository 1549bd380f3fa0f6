"""Small drops into a watched folder, one after the other, each waited for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from core.ids import content_hash, media_id
from tests.vision_standin import PAINTS, picture

_SIDE = 64
_LEAST_SHADE = 200
_SHADES = 56
_PAINTS = tuple(PAINTS)


class Drops:
    """Pictures that are all different; one in ``every`` is damaged, and as many are replaced: new
    bytes under a name that was dropped before.

    Attributes:
        made: how many contents were dropped; each of them is a medium.
        damaged: how many of those do not decode.
        names: how many files there are.
    """

    def __init__(self, folder: Path, every: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.made = self.damaged = self.names = 0
        self._folder = folder
        self._every = every

    def drop(self, count: int) -> list[str]:
        """As many contents, each moved to its name when it is whole. What is replaced came with an
        earlier drop: who waits for each drop's results has seen it tagged. Gives their media."""
        media = []
        replaced = iter(range(self.names // 2, self.names))
        for _ in range(count):
            turn = self.made % self._every
            data = _png(self.made)
            if turn == self._every // 2:
                data = data[: len(data) // 2]
                self.damaged += 1
            if turn == self._every - 1 and (name := next(replaced, None)) is not None:
                self._put(f"look-{name:06d}.png", data)
            else:
                self._put(f"look-{self.names:06d}.png", data)
                self.names += 1
            self.made += 1
            media.append(media_id(content_hash(data), "query", None, None))
        return media

    def _put(self, name: str, data: bytes) -> None:
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes(data)
        unfinished.replace(self._folder / name)


def _png(number: int) -> bytes:
    """One garment of the stand-in vision, and the number in shades of its background."""
    image = picture(_PAINTS[number % len(_PAINTS)], side=_SIDE)
    for place in range(8):
        number, digit = divmod(number, _SHADES)
        image[0, place] = _LEAST_SHADE + digit
    ok, data = cv2.imencode(".png", np.ascontiguousarray(image[:, :, ::-1]))
    assert ok
    return data.tobytes()

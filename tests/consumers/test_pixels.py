"""Our own pictures come back as they went, and damaged ones say so."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from consumers import pixels
from core.errors import BlobMissingError
from core.vision.port import Image, Mask

IMAGE: Image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
MASK: Mask = np.add.outer(np.arange(40), np.arange(30)) % 3 == 0
PNG, MASKED = pixels.encode_png(IMAGE), pixels.encode_png(IMAGE, MASK)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


DAMAGE: list[Callable[[bytes], bytes]] = [
    lambda data: b"",
    lambda data: b"no picture",
    lambda data: bytes(len(data)),
    lambda data: data[:8],
    lambda data: data[: len(data) // 2],
    lambda data: data[:-16],
    _flipped,
]


def test_a_crop_comes_back_to_the_pixel() -> None:
    assert np.array_equal(pixels.decode(PNG), IMAGE)


def test_a_view_into_a_larger_image_is_written_like_a_copy() -> None:
    view = IMAGE[5:20, 3:18]

    assert pixels.encode_png(view) == pixels.encode_png(view.copy())
    assert pixels.encode_png(view, MASK[5:20, 3:18]) == pixels.encode_png(
        view.copy(), MASK[5:20, 3:18].copy()
    )


def test_a_masked_crop_holds_the_mask_and_nothing_of_the_background() -> None:
    assert np.array_equal(pixels.decode_alpha(MASKED), MASK)
    assert np.array_equal(pixels.decode(MASKED), IMAGE * MASK[:, :, None])


def test_a_jpeg_frame_is_read_as_rgb() -> None:
    red = np.full((16, 16, 3), (200, 30, 30), np.uint8)
    _, jpeg = cv2.imencode(".jpg", red[:, :, ::-1])

    assert np.abs(pixels.decode(jpeg.tobytes()).astype(int) - red).max() < 8


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_picture_asks_for_its_medium_again(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BlobMissingError, match="stored picture is damaged; submit"):
        pixels.decode(damage(PNG))


@pytest.mark.parametrize("damage", [*DAMAGE, lambda data: PNG])
def test_a_damaged_masked_crop_asks_for_its_medium_again(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BlobMissingError, match="masked crop is damaged; submit"):
        pixels.decode_alpha(damage(MASKED))

"""The same look gives the same items, however its colours are carried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from core.vision.lite.detector import LiteDetector
from core.vision.lite.network import LiteNetwork
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.port import Image
from tests.core.media.clips import decode
from tests.core.media.looks import HLG, HLG_CAMERA, P3, PQ, SDR, Carriage, write_look
from tests.core.vision.lite.drawings import side_by_side

_CARRIED = {
    "full": replace(SDR, range=2),
    "bt601": Carriage(6, 6, 6),
    "p3": P3,
    "hlg": HLG,
    "hlg-camera": HLG_CAMERA,
    "hlg-full": replace(HLG, range=2),
    "pq": PQ,
    "pq-full": replace(PQ, range=2),
}


def _read(path: Path) -> Image:
    with Pictures.open(decode(path).frames[0].path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("name", _CARRIED)
def test_a_look_keeps_its_items_and_scores(network: LiteNetwork, tmp_path: Path, name: str) -> None:
    detector, segmenter = LiteDetector(network), LiteSegmenter(network)
    plain = _read(write_look(tmp_path / "sdr.mkv", side_by_side(), SDR))
    carried = _read(write_look(tmp_path / "a.mkv", side_by_side(), _CARRIED[name]))

    before, after = (
        sorted(found, key=lambda item: item.category)
        for found in segmenter.segment(
            [plain, carried], detector.detect([plain, carried], ["", ""])
        )
    )

    assert [item.category for item in after] == [item.category for item in before]
    assert len(after) == 2
    for old, new in zip(before, after, strict=True):
        assert abs(old.score - new.score) <= 0.03
        assert np.abs(np.subtract(old.box, new.box)).max() <= 4

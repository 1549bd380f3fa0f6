"""The lite profile put together."""

from __future__ import annotations

from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people import BlazePoseFinder
from core.vision.lite.pose import PoseModels
from core.vision.lite.segmenter import LiteSegmenter


def load_lite(threads: int) -> tuple[LiteDetector, LiteSegmenter, LiteEmbedder]:
    """Detector, segmenter and embedder over one shared network, with eyes for people.

    Args:
        threads: CPU threads one run may use, at least 1.
    """
    network = LiteNetwork(threads)
    people = BlazePoseFinder(PoseModels(threads))
    return LiteDetector(network, people), LiteSegmenter(network), LiteEmbedder(network)

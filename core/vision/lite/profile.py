"""The lite profile put together."""

from __future__ import annotations

from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.seams import PeopleFinder
from core.vision.lite.segmenter import LiteSegmenter


def load_lite(
    threads: int, people: PeopleFinder | None = None
) -> tuple[LiteDetector, LiteSegmenter, LiteEmbedder]:
    """Detector, segmenter and embedder over one shared network.

    Args:
        threads: CPU threads one run may use.
        people: finder of garments on people; without it people's clothes are found as far as
            the dense head sees them.
    """
    network = LiteNetwork(threads)
    return LiteDetector(network, people), LiteSegmenter(network), LiteEmbedder(network)

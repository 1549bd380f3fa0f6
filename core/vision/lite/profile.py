"""The lite profile put together."""

from __future__ import annotations

from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.finder import BlazePoseFinder
from core.vision.lite.people.pose import PoseModels
from core.vision.lite.segmenter import LiteSegmenter


def lite_profile(
    threads: int, device: str = "cpu"
) -> tuple[LiteDetector, LiteSegmenter, LiteEmbedder]:
    """Detector, segmenter and embedder over one shared network, with eyes for people.

    Args:
        threads: CPU threads one run may use, at least 1.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        OSError, ValueError: the weights are missing or damaged.
    """
    network = LiteNetwork(threads, device=device)
    people = BlazePoseFinder(PoseModels(threads, device))
    return LiteDetector(network, people), LiteSegmenter(network), LiteEmbedder(network)

"""The lite profile put together."""

from __future__ import annotations

import os

from core.errors import SettingsError
from core.settings import VisionSettings
from core.vision.lite.card import LIMITS
from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.people.finder import BlazePoseFinder
from core.vision.lite.people.pose import PoseModels
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.port import Profile


def make_profile(settings: VisionSettings) -> Profile:
    """Detector, segmenter and embedder over one shared network, with eyes for people.

    Raises:
        SettingsError: the weights are missing or damaged.
    """
    threads = settings.threads or os.cpu_count() or 1
    try:
        network = LiteNetwork(threads, device=settings.device)
        poses = PoseModels(threads, settings.device)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the vision profile lite cannot be loaded: {error}; install tagging-engine again"
        ) from error
    return Profile(
        name="lite",
        detector=LiteDetector(network, BlazePoseFinder(poses)),
        segmenter=LiteSegmenter(network),
        embedder=LiteEmbedder(network),
        limits=LIMITS,
    )

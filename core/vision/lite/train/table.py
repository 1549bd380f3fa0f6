"""The whole table of figures for one network and one test set."""

from __future__ import annotations

from collections.abc import Callable

from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.lite.train.measure import (
    Figures,
    Finder,
    classification,
    false_items,
    retrieval,
    scenes,
    singles,
    speed,
)
from core.vision.lite.train.testset import TestSet


def table(network: LiteNetwork, given: TestSet, report: Callable[[str], None]) -> Figures:
    """Measure everything; the names are explained in the model card."""
    find = Finder(LiteDetector(network), LiteSegmenter(network))
    embedder = LiteEmbedder(network)
    figures: Figures = {}

    def add(found: Figures) -> None:
        figures.update(found)
        report("  ".join(f"{name} {value:.3f}" for name, value in found.items()))

    add(classification(network, given.queries))
    add(scenes(find.coarse, given.composites, "composite_coarse"))
    add(scenes(find, given.composites, "composite"))
    add(scenes(find, given.drawings, "drawn"))
    add({"false_items": false_items(find, given.empties)})
    add({"false_items_photos": false_items(find, given.empties[-10:])})
    add(singles(find, given.queries))
    add(speed(network, embedder, find, given.queries.images))
    add(retrieval(embedder, given.queries, given.gallery))
    return figures

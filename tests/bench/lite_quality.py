"""The quality of the lite weights in one table.

``python -m tests.bench.lite_quality --data DIR [--weights DIR ...] [--strangers]``: ``DIR`` holds
the photos with ``labels.csv``; ``--weights`` names folders with ``lite.onnx`` and ``card.json``
(the shipped ones are measured where none is named), side by side on the same pictures. With
``--strangers`` the photos asked about are those of the held-out senders, which only the
``held-out`` recipe has never seen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from core.vision.lite.card import WEIGHTS, Card, shipped_card, shipped_weights
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.train import testset
from core.vision.lite.train.calibrate import found_again
from core.vision.lite.train.masks import make_masks
from core.vision.lite.train.measure import Figures
from core.vision.lite.train.photos import find_photos, load_album
from core.vision.lite.train.table import table


def _network(folder: Path | None, threads: int) -> LiteNetwork:
    if folder is None:
        return LiteNetwork(threads, shipped_weights(), shipped_card())
    card = Card.model_validate_json((folder / "card.json").read_bytes())
    return LiteNetwork(threads, (folder / WEIGHTS).read_bytes(), card)


def measure(data: Path, folders: list[Path | None], threads: int, strangers: bool) -> list[Figures]:
    """One table a folder, all on the same pictures."""
    album = load_album(find_photos(data), threads)
    masks = make_masks(album.images, threads)
    if strangers:
        queries = album.where(photo.held_out for photo in album.photos)
        gallery = album.where(p.split == "train" and not p.held_out for p in album.photos)
    else:
        queries = album.where(photo.split == "validation" for photo in album.photos)
        gallery = album.where(photo.split == "train" for photo in album.photos)
    given = testset.build(album, masks, queries, gallery)
    found: list[Figures] = []
    for folder in folders:
        network = _network(folder, threads)
        figures = table(network, given, lambda _: None)
        again, _ = found_again(LiteEmbedder(network), given.queries, given.grounds, seed=0)
        found.append(figures | again)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--strangers", action="store_true")
    options = parser.parse_args()
    folders: list[Path | None] = list(options.weights) or [None]
    names = [folder.name if folder else "shipped" for folder in folders]
    tables = measure(options.data, folders, options.threads, options.strangers)
    lines = [f"{'':28s}" + "".join(f"{name:>12s}" for name in names)]
    lines += [
        f"{name:28s}" + "".join(f"{figures[name]:12.3f}" for figures in tables)
        for name in tables[0]
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

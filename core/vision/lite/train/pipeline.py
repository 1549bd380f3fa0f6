"""The stages in order, each with the artefact that tells it has run."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from core.vision.lite.card import Card, Thresholds, digest
from core.vision.lite.detector import LiteDetector
from core.vision.lite.embedder import LiteEmbedder
from core.vision.lite.network import LiteNetwork
from core.vision.lite.segmenter import LiteSegmenter
from core.vision.lite.train import testset
from core.vision.lite.train.augment import Viewer
from core.vision.lite.train.backgrounds import strips, texture
from core.vision.lite.train.calibrate import as_cut, calibrate, found_again
from core.vision.lite.train.composites import (
    Scene,
    compositions,
    drawn_cutout,
    empty,
    relit,
    single,
)
from core.vision.lite.train.densetrain import train_dense
from core.vision.lite.train.drawn import draw_garment
from core.vision.lite.train.export import export
from core.vision.lite.train.finetune import Lesson, accuracy, finetune
from core.vision.lite.train.masks import load_masks, make_masks, save_masks
from core.vision.lite.train.measure import Figures, Finder
from core.vision.lite.train.model import DIM, CropModel, DenseHead
from core.vision.lite.train.photos import Album, find_photos, load_album
from core.vision.lite.train.pictures import windows
from core.vision.lite.train.recipe import Recipe
from core.vision.lite.train.table import table
from core.vision.lite.vocabulary import LABELS
from core.vision.port import Image, Mask

Report = Callable[[str], None]

_STRIPS = 300
_TEXTURES = 120
_WINDOWS = 100
_DRAWN_SHARE = 0.05
_DETECT = 0.6
_UNCALIBRATED = Thresholds(
    detect=_DETECT, match=0.85, dup_within=0.9, dup_across=0.9, dup_catalog=0.95
)


@dataclass(frozen=True, slots=True)
class Material:
    """Photos, their masks, and which of them this run may learn from."""

    album: Album
    masks: Sequence[Mask]
    learn: Sequence[int]
    borders: Sequence[Image]


def prepare(data: Path, out: Path, recipe: Recipe, threads: int, report: Report) -> Material:
    """Stage 1: read the photos and cut their garments out."""
    album = load_album(find_photos(data), threads)
    path = out / "masks.npz"
    if not path.exists():
        save_masks(path, make_masks(album.images, threads))
    masks = load_masks(path)
    learn = album.where(recipe.trains_on(photo) for photo in album.photos)
    report(f"{len(album.photos)} photos, {len(learn)} to learn from")
    random = np.random.default_rng(recipe.seed)
    borders = strips(album.images, masks, random.permutation(learn), _STRIPS)
    return Material(album, masks, learn, borders)


def tune(material: Material, out: Path, recipe: Recipe, report: Report) -> CropModel:
    """Stage 2: the trunk and the heads for single items."""
    path = out / "crops.pt"
    if not path.exists():
        album = material.album
        images = [album.images[i] for i in material.learn]
        masks = [material.masks[i] for i in material.learn]
        admitted = [album.photos[i].admitted for i in material.learn]
        grounds = list(material.borders)
        if recipe.drawn:
            random = np.random.default_rng((recipe.seed, 2))
            grounds += [texture(random, cluttered=k % 3 == 0) for k in range(_TEXTURES)]
            for _ in range(int(_DRAWN_SHARE * len(images))):
                garment = draw_garment(random)
                images.append(garment.image)
                masks.append(garment.mask)
                admitted.append(np.isin(LABELS, garment.label))
        lesson = Lesson(images, masks, np.array(admitted))
        viewer = Viewer(grounds, recipe.degrade)
        trained = finetune(lesson, viewer, recipe.seed, recipe.epochs, report)
        check = [i for i, p in enumerate(album.photos) if p.split == "validation"]
        share = accuracy(
            trained, [album.images[i] for i in check], [album.photos[i].target for i in check]
        )
        report(f"validation accuracy {share:.3f}")
        torch.save(trained.state_dict(), path)
    model = CropModel().eval()
    model.load_state_dict(torch.load(path))
    return model


def _scenes(material: Material, recipe: Recipe) -> list[Scene]:
    """Stage 3: composites, photos of one garment, and pictures without any."""
    random = np.random.default_rng((recipe.seed, 3))
    grounds = list(material.borders)
    if recipe.drawn:
        grounds += [texture(random, cluttered=k % 3 == 0) for k in range(_TEXTURES)]
        grounds += windows(_WINDOWS, random)
    garments = testset.cutouts(material.album, material.masks, material.learn)
    alone = [garments[i] for i in random.permutation(len(garments))[: recipe.singles]]
    if recipe.drawn:
        alone += [drawn_cutout(random) for _ in range(recipe.singles // 12)]
    bare = [grounds[i] for i in random.permutation(len(grounds))[: recipe.empties]]
    scenes = [
        *compositions(garments, grounds, recipe.composites, recipe.drawn, random),
        *(single(garment) for garment in alone),
        *(empty(ground) for ground in bare),
    ]
    return [relit(scene, random, recipe.degrade) for scene in scenes]


def teach_dense(
    material: Material, crops: CropModel, out: Path, recipe: Recipe, report: Report
) -> DenseHead:
    """Stages 3 and 4: the dense head."""
    path = out / "dense.pt"
    if not path.exists():
        scenes = _scenes(material, recipe)
        head = train_dense(crops, scenes, recipe.seed, recipe.dense_epochs, report)
        torch.save(head.state_dict(), path)
    head = DenseHead().eval()
    head.load_state_dict(torch.load(path))
    return head


def measure(
    material: Material, weights: bytes, recipe: Recipe, threads: int, report: Report
) -> Card:
    """Stage 6: calibrate the thresholds, measure, and write it all down."""
    photos = material.album.photos
    queries = [
        i
        for i, photo in enumerate(photos)
        if (photo.held_out if recipe.hold_out else photo.split == "validation")
    ]
    gallery = [
        i
        for i, photo in enumerate(photos)
        if photo.split == "train" and not (recipe.hold_out and photo.held_out)
    ]
    given = testset.build(material.album, material.masks, queries, gallery)

    def card(thresholds: Thresholds, metrics: Figures) -> Card:
        rounded = {
            name: round(value, 4)
            for name, value in metrics.items()
            if not name.startswith("ms_")  # tells more about the machine than about the weights
        }
        return Card(
            name=recipe.name,
            labels=LABELS,
            dim=DIM,
            sha256=digest(weights),
            thresholds=thresholds,
            metrics=rounded,
        )

    network = LiteNetwork(threads, weights, card(_UNCALIBRATED, {}))
    embedder = LiteEmbedder(network)
    figures, cosines = found_again(embedder, given.queries, given.grounds, recipe.seed)
    find = Finder(LiteDetector(network), LiteSegmenter(network))
    same = as_cut(find, embedder, given.queries, given.grounds, recipe.seed)
    thresholds, shares = calibrate(cosines, same, given.queries.targets, _DETECT)
    network = LiteNetwork(threads, weights, card(thresholds, {}))
    return card(thresholds, {**table(network, given, report), **figures, **shares})


def run(data: Path, out: Path, recipe: Recipe, threads: int, report: Report) -> None:
    """All stages; ``out`` ends up with ``lite.onnx`` and ``card.json``."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    material = prepare(data, out, recipe, threads, report)
    crops = tune(material, out, recipe, report)
    head = teach_dense(material, crops, out, recipe, report)
    file = out / "lite.onnx"
    if not file.exists():
        file.write_bytes(export(crops, head))
        report(f"exported {file.stat().st_size / 1e6:.2f} MB")
    identity = out / "card.json"
    if not identity.exists():
        card = measure(material, file.read_bytes(), recipe, threads, report)
        identity.write_text(json.dumps(card.model_dump(), indent=2) + "\n")
        report(f"wrote {identity}")

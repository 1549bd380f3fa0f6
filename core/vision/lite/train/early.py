"""The stages that never learn, run by ONNX Runtime, which does on a CPU in half the time."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch import Tensor, nn

from core.vision.lite.train.model import CropModel

_OPSET = 17
_CHUNK = 8


class _Early(nn.Module):
    def __init__(self, model: CropModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model.early(x)


class EarlyStages:
    """Stages 1 to 4 of a model, frozen at the moment of construction."""

    def __init__(self, model: CropModel) -> None:
        buffer = io.BytesIO()
        torch.onnx.export(
            _Early(model).eval(),
            (torch.zeros(2, 3, 224, 224),),
            buffer,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
            opset_version=_OPSET,
            dynamo=False,
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            buffer.getvalue(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, views: npt.NDArray[np.float32]) -> Tensor:
        """Feature maps of ``(n, 3, h, w) float32`` views."""
        chunks = np.split(views, range(_CHUNK, len(views), _CHUNK))
        maps = [self._session.run(None, {"x": chunk})[0] for chunk in chunks]
        return torch.from_numpy(np.concatenate(maps))

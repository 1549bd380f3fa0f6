"""Parts that no longer learn, run by ONNX Runtime, which does on a CPU in half the time."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch import Tensor, nn

_OPSET = 17
_CHUNK = 8


class _Part(nn.Module):
    def __init__(self, owner: nn.Module, part: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.owner, self.part = owner, part

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.part(x)


class Frozen:
    """A model's method as it was at the moment of construction."""

    def __init__(
        self, owner: nn.Module, part: Callable[[Tensor], tuple[Tensor, ...]], side: int
    ) -> None:
        """Keep ``part``, a method of ``owner``, for ``(n, 3, side, side)`` pictures."""
        sample = torch.zeros(2, 3, side, side)
        with torch.no_grad():
            names = [f"y{k}" for k in range(len(part(sample)))]
        buffer = io.BytesIO()
        torch.onnx.export(
            _Part(owner, part).eval(),
            (sample,),
            buffer,
            input_names=["x"],
            output_names=names,
            dynamic_axes={name: {0: "n"} for name in ("x", *names)},
            opset_version=_OPSET,
            dynamo=False,
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            buffer.getvalue(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, pictures: npt.NDArray[np.float32]) -> tuple[Tensor, ...]:
        """What ``part`` gives for ``(n, 3, side, side) float32``."""
        chunks = np.split(pictures, range(_CHUNK, len(pictures), _CHUNK))
        runs = [self._session.run(None, {"x": chunk}) for chunk in chunks]
        return tuple(torch.from_numpy(np.concatenate(maps)) for maps in zip(*runs, strict=True))

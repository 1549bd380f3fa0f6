"""Stage 5: one ONNX file for everything, weights stored in half precision."""

# torch is installed for training only: where it is missing, its classes are Any to mypy.
# mypy: disable-error-code="import-not-found, misc, no-any-return"

from __future__ import annotations

import io

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from core.vision.lite.train.model import CropModel, DenseHead, LiteModel

_OPSET = 17
_LEAST_VALUES = 256
_GRIDS = {0: "n", 2: "rows", 3: "columns"}
_BATCH = {0: "n"}


def _halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float tensors as float16 and cast them when the file is loaded.

    Arithmetic stays float32 (ONNX Runtime folds the casts away at start), so that half the size
    costs neither speed nor, noticeably, accuracy.
    """
    graph = model.graph
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) <= _LEAST_VALUES:
            continue
        stored = f"{tensor.name}_half"
        half = numpy_helper.to_array(tensor).astype(np.float16)
        graph.initializer.append(numpy_helper.from_array(half, stored))
        graph.initializer.remove(tensor)
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return model


def export(crops: CropModel, dense: DenseHead) -> bytes:
    """The ONNX file; inputs ``x (n, 3, h, w)``, sides multiples of 32.

    Outputs ``seg``, ``ltrb``, ``ctr`` for the detector and ``emb``, ``prob`` for crops; see
    ``core.vision.lite.network``.
    """
    model = LiteModel(crops.to(memory_format=torch.contiguous_format), dense).eval()
    buffer = io.BytesIO()
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, 224, 224),),
        buffer,
        input_names=["x"],
        output_names=["seg", "ltrb", "ctr", "emb", "prob"],
        dynamic_axes={
            "x": {0: "n", 2: "h", 3: "w"},
            **dict.fromkeys(("seg", "ltrb", "ctr"), _GRIDS),
            **dict.fromkeys(("emb", "prob"), _BATCH),
        },
        opset_version=_OPSET,
        dynamo=False,
    )
    return _halved(onnx.load_from_string(buffer.getvalue())).SerializeToString()

"""Turn the two BlazePose models from TFLite into ONNX, once, by hand.

The source files are ``pose_detection.tflite`` and ``pose_landmark_full.tflite`` as shipped in the
PyPI wheel ``mediapipe`` 0.10.21 (Apache-2.0)::

    pip download --no-deps mediapipe==0.10.21 && unzip mediapipe-*.whl 'mediapipe/modules/pose_*'
    pip install tflite onnx
    python -m core.vision.lite.train.convert_pose mediapipe/modules core/vision/lite/weights

Both are plain convolutional networks, so each TFLite operator maps to one or two ONNX nodes.
Activations are kept channels-first inside; the graph's input stays ``(1, h, w, 3) float32`` and
every output has the order TFLite gives it. Weights are stored as float16 and cast when the session
is made, which is what the TFLite files do too: no digit is lost.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tflite  # type: ignore[import-untyped,import-not-found,unused-ignore]
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]

_OPSET = 17
# TFLite model -> the outputs worth having, by TFLite name; the rest of the graph is dropped.
_WANTED = {
    "pose_detection/pose_detection.tflite": {"Identity": "boxes", "Identity_1": "scores"},
    "pose_landmark/pose_landmark_full.tflite": {
        "Identity": "landmarks",
        "Identity_1": "presence",
        "Identity_2": "mask",
    },
}
_DTYPES = {
    tflite.TensorType.FLOAT32: np.dtype(np.float32),
    tflite.TensorType.FLOAT16: np.dtype(np.float16),
    tflite.TensorType.INT32: np.dtype(np.int32),
}
_OPTIONS = {
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "ADD": tflite.AddOptions,
    "MAX_POOL_2D": tflite.Pool2DOptions,
    "RESIZE_BILINEAR": tflite.ResizeBilinearOptions,
    "DEPTH_TO_SPACE": tflite.DepthToSpaceOptions,
    "CONCATENATION": tflite.ConcatenationOptions,
}
_OP_NAMES = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}


def convert(source: Path, wanted: dict[str, str]) -> onnx.ModelProto:
    """The ONNX model that computes what ``source`` computes, as far as ``wanted`` asks for it."""
    return _Converter(source.read_bytes()).run(wanted)


class _Converter:
    """One walk over a TFLite graph. Tensors are named by index, weights read as they are met."""

    def __init__(self, flatbuffer: bytes) -> None:
        self._model = tflite.Model.GetRootAsModel(flatbuffer, 0)
        self._graph = self._model.Subgraphs(0)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._weights: dict[int, Array] = {}

    def run(self, wanted: dict[str, str]) -> onnx.ModelProto:
        source = self._graph.Inputs(0)
        self._add("Transpose", ["image"], _name(source), perm=[0, 3, 1, 2])
        for index in range(self._graph.OperatorsLength()):
            self._operator(self._graph.Operators(index))
        outputs = []
        for index in self._graph.OutputsAsNumpy():
            tensor = self._graph.Tensors(index)
            public = wanted.get(tensor.Name().decode())
            if public is None:
                continue
            shape = [int(d) for d in tensor.ShapeAsNumpy()]
            if len(shape) == 4:
                self._add("Transpose", [_name(index)], public, perm=[0, 2, 3, 1])
            else:
                self._add("Identity", [_name(index)], public)
            outputs.append(helper.make_tensor_value_info(public, TensorProto.FLOAT, shape))
        shape = [int(d) for d in self._graph.Tensors(source).ShapeAsNumpy()]
        graph = helper.make_graph(
            self._needed({o.name for o in outputs}),
            "blazepose",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
            outputs,
            self._initializers,
        )
        _drop_unused(graph)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = 9
        model.doc_string = "BlazePose (Google, Apache-2.0), converted from TFLite"
        onnx.checker.check_model(model, full_check=True)
        return model

    def _operator(self, operator: Any) -> None:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        name = _OP_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        ins = [int(i) for i in operator.InputsAsNumpy()]
        out = int(operator.Outputs(0))
        if name in ("DEQUANTIZE", "DENSIFY"):
            self._weights[out] = self._constant(ins[0])
            return
        options: Any = None
        if name in _OPTIONS:
            options = _OPTIONS[name]()
            table = operator.BuiltinOptions()
            options.Init(table.Bytes, table.Pos)
        emit: dict[str, Callable[[list[int], int, Any], object]] = {
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise,
            "ADD": self._sum,
            "MAX_POOL_2D": self._max_pool,
            "PAD": self._pad,
            "RESIZE_BILINEAR": self._resize,
            "DEPTH_TO_SPACE": self._depth_to_space,
            "CONCATENATION": self._concat,
            "RESHAPE": self._reshape,
            "LOGISTIC": lambda i, o, _: self._add("Sigmoid", [_name(i[0])], _name(o)),
        }
        emit[name](ins, out, options)

    def _conv(self, ins: list[int], out: int, options: Any) -> None:
        kernel = self._constant(ins[1]).transpose(0, 3, 1, 2)
        self._convolution(ins, out, options, kernel, groups=1)

    def _depthwise(self, ins: list[int], out: int, options: Any) -> None:
        kernel = self._constant(ins[1]).transpose(3, 0, 1, 2)
        self._convolution(ins, out, options, kernel, groups=self._shape(ins[0])[3])

    def _convolution(
        self, ins: list[int], out: int, options: Any, kernel: Array, groups: int
    ) -> None:
        size, strides = kernel.shape[2:], (options.StrideH(), options.StrideW())
        inner = f"{_name(out)}_linear"
        self._add(
            "Conv",
            [_name(ins[0]), self._weight(ins[1], kernel), self._weight(ins[2])],
            inner,
            group=groups,
            strides=strides,
            pads=self._padding(ins[0], out, size, strides, options),
        )
        self._activation(inner, out, options)

    def _sum(self, ins: list[int], out: int, options: Any) -> None:
        inner = f"{_name(out)}_linear"
        self._add("Add", [_name(i) for i in ins], inner)
        self._activation(inner, out, options)

    def _max_pool(self, ins: list[int], out: int, options: Any) -> None:
        size = (options.FilterHeight(), options.FilterWidth())
        strides = (options.StrideH(), options.StrideW())
        pads = self._padding(ins[0], out, size, strides, options)
        self._add(
            "MaxPool", [_name(ins[0])], _name(out), kernel_shape=size, strides=strides, pads=pads
        )

    def _pad(self, ins: list[int], out: int, _: Any) -> None:
        before, after = self._constant(ins[1])[[0, 3, 1, 2]].T.tolist()
        pads = self._initializer(f"{_name(out)}_pads", np.array(before + after, np.int64))
        self._add("Pad", [_name(ins[0]), pads], _name(out), mode="constant")

    def _resize(self, ins: list[int], out: int, options: Any) -> None:
        corners = "half_pixel" if options.HalfPixelCenters() else "asymmetric"
        if options.AlignCorners():
            corners = "align_corners"
        n, h, w, c = self._shape(out)
        sizes = self._initializer(f"{_name(out)}_sizes", np.array([n, c, h, w], np.int64))
        self._add(
            "Resize",
            [_name(ins[0]), "", "", sizes],
            _name(out),
            mode="linear",
            coordinate_transformation_mode=corners,
        )

    def _depth_to_space(self, ins: list[int], out: int, options: Any) -> None:
        self._add(
            "DepthToSpace", [_name(ins[0])], _name(out), blocksize=options.BlockSize(), mode="DCR"
        )

    def _concat(self, ins: list[int], out: int, options: Any) -> None:
        axis = options.Axis()
        if len(self._shape(out)) == 4:
            axis = (0, 2, 3, 1)[axis]
        self._add("Concat", [_name(i) for i in ins], _name(out), axis=axis)

    def _reshape(self, ins: list[int], out: int, _: Any) -> None:
        source = _name(ins[0])
        if len(self._shape(ins[0])) == 4:
            source = self._add("Transpose", [source], f"{_name(out)}_last", perm=[0, 2, 3, 1])
        shape = self._initializer(f"{_name(out)}_shape", np.array(self._shape(out), np.int64))
        self._add("Reshape", [source, shape], _name(out))

    def _activation(self, inner: str, out: int, options: Any) -> None:
        kind = options.FusedActivationFunction()
        if kind == tflite.ActivationFunctionType.NONE:
            self._add("Identity", [inner], _name(out))
        elif kind == tflite.ActivationFunctionType.RELU:
            self._add("Relu", [inner], _name(out))
        elif kind == tflite.ActivationFunctionType.RELU6:
            low = self._initializer("zero", np.array(0, np.float32))
            high = self._initializer("six", np.array(6, np.float32))
            self._add("Clip", [inner, low, high], _name(out))
        else:
            raise NotImplementedError(f"fused activation {kind}")

    def _padding(
        self, source: int, out: int, size: tuple[int, ...], strides: tuple[int, int], options: Any
    ) -> list[int]:
        """ONNX pads of TFLite's SAME or VALID: what is odd goes after, not before."""
        if options.Padding() == tflite.Padding.VALID:
            return [0, 0, 0, 0]
        spans = zip(self._shape(source)[1:3], self._shape(out)[1:3], size, strides, strict=True)
        total = [max(0, (o - 1) * s + k - i) for i, o, k, s in spans]
        return [t // 2 for t in total] + [t - t // 2 for t in total]

    def _constant(self, index: int) -> Array:
        """A weight tensor, dense, in TFLite's order."""
        if index in self._weights:
            return self._weights[index]
        tensor = self._graph.Tensors(index)
        dtype = _DTYPES[tensor.Type()]
        values = self._model.Buffers(tensor.Buffer()).DataAsNumpy().view(dtype)
        sparsity = tensor.Sparsity()
        shape = self._shape(index)
        return values.reshape(shape) if sparsity is None else _dense(values, sparsity, shape)

    def _weight(self, index: int, value: Array | None = None) -> str:
        """The name of a float32 tensor that the session casts from the float16 stored one."""
        value = self._constant(index) if value is None else value
        name = f"w{index}"
        if value.dtype == np.float16:
            return self._add("Cast", [self._initializer(f"{name}_half", value)], name, to=1)
        return self._initializer(name, value)

    def _shape(self, index: int) -> list[int]:
        return [int(d) for d in self._graph.Tensors(index).ShapeAsNumpy()]

    def _initializer(self, name: str, value: Array) -> str:
        if all(i.name != name for i in self._initializers):
            stored = numpy_helper.from_array(np.ascontiguousarray(value), name)
            self._initializers.append(stored)
        return name

    def _add(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        if all(output not in node.output for node in self._nodes):
            self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def _needed(self, outputs: set[str]) -> list[onnx.NodeProto]:
        """The nodes that ``outputs`` depend on, in order."""
        needed, kept = set(outputs), []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        return kept[::-1]


def _dense(values: Array, sparsity: Any, shape: list[int]) -> Array:
    """Unpack a TFLite sparse tensor whose last axis alone is compressed (CSR)."""
    axes = [sparsity.DimMetadata(i) for i in range(sparsity.DimMetadataLength())]
    formats = [a.Format() for a in axes]
    order = sparsity.TraversalOrderAsNumpy().tolist()
    if formats != [0] * (len(axes) - 1) + [1] or order != sorted(order):
        raise NotImplementedError(f"sparse layout {formats} in order {order}")
    segments, indices = _index_vector(axes[-1], "Segments"), _index_vector(axes[-1], "Indices")
    rows = np.repeat(np.arange(len(segments) - 1), np.diff(segments))
    dense = np.zeros((len(segments) - 1, shape[-1]), values.dtype)
    dense[rows, indices] = values
    return dense.reshape(shape)


def _index_vector(axis: Any, which: str) -> Array:
    """``ArraySegments`` or ``ArrayIndices`` of a sparse axis; a union of three integer widths."""
    kind = getattr(axis, f"Array{which}Type")()
    reader = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}[kind]()
    table = getattr(axis, f"Array{which}")()
    reader.Init(table.Bytes, table.Pos)
    return np.asarray(reader.ValuesAsNumpy()).astype(np.int64)


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [i for i in graph.initializer if i.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _name(index: int) -> str:
    return f"t{index}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", type=Path, help="the wheel's mediapipe/modules folder")
    parser.add_argument("weights", type=Path, help="where the ONNX files go")
    arguments = parser.parse_args()
    for source, wanted in _WANTED.items():
        model = convert(arguments.modules / source, wanted)
        target = arguments.weights / f"{Path(source).stem.removesuffix('_full')}.onnx"
        onnx.save(model, target)
        print(f"{target.name}: {target.stat().st_size / 1e6:.2f} MB, {len(model.graph.node)} nodes")


if __name__ == "__main__":
    main()

"""Write MTCNN's three networks as ONNX files, for a service without TensorFlow.

The weights come with the package `mtcnn`, which runs on TensorFlow; its files are read and
its modules are not imported. `python -m pipelines.bento` calls this.

Source: K. Zhang et al., *Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks* (2016); weights: https://github.com/ipazc/mtcnn (MIT).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

import joblib
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NETWORKS = ("pnet", "rnet", "onet")
# ONNX Runtime reads models up to the intermediate version of its own release; these are
# old enough for every one, and new enough for every operator below.
_OPSET, _IR_VERSION = 17, 8


def convert(out: Path) -> None:
    """Writes `pnet.onnx`, `rnet.onnx` and `onet.onnx`.

    Each takes `faces`, (N, 3, H, W) float32 RGB from -1 to 1, and answers `offsets` of the
    box, `scores` of non-face and face, and O-Net `landmarks`.

    Args:
        out: Folder to write to; it must exist.
    """
    shipped = {file.name: Path(file.locate()) for file in files("mtcnn") or ()}
    for name in NETWORKS:
        weights = iter(joblib.load(shipped[f"{name}.lz4"]))
        graph = {"pnet": _pnet, "rnet": _rnet, "onet": _onet}[name](weights)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        onnx.save(model, out / f"{name}.onnx")


@dataclass
class _Network:
    """A graph that grows layer by layer; `weights` are Keras's, in the order of its layers."""

    weights: Iterator[np.ndarray]
    nodes: list = field(default_factory=list)
    initializers: list = field(default_factory=list)

    def add(self, operator: str, source: str, *tensors: np.ndarray, **attributes) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        names = [f"{name}_{i}" for i in range(len(tensors))]
        for key, tensor in zip(names, tensors, strict=True):
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(tensor), key))
        self.nodes.append(helper.make_node(operator, [source, *names], [name], **attributes))
        return name

    def convolve(self, source: str) -> str:
        kernel, bias = next(self.weights), next(self.weights)
        return self.add("Conv", source, kernel.transpose(3, 2, 0, 1), bias)

    def rectify(self, source: str) -> str:
        slopes = next(self.weights)
        # Keras shares a channel's slope over height and width, and keeps those axes.
        slopes = slopes.reshape(-1, 1, 1) if slopes.ndim == 3 else slopes
        return self.add("PRelu", source, slopes)

    def pool(self, source: str, side: int, padding: str) -> str:
        return self.add(
            "MaxPool", source, kernel_shape=[side, side], strides=[2, 2], auto_pad=padding
        )

    def flatten(self, source: str) -> str:
        # The weights were trained in Caffe's MATLAB order: columns before rows.
        columns_first = self.add("Transpose", source, perm=[0, 3, 2, 1])
        return self.add("Flatten", columns_first)

    def connect(self, source: str) -> str:
        return self.add("Gemm", source, next(self.weights), next(self.weights))

    def end(self, side: int | None, **outputs: str) -> onnx.GraphProto:
        named = [helper.make_node("Identity", [node], [name]) for name, node in outputs.items()]
        sides, answer = ([side, side], ["N", None]) if side else (["H", "W"], ["N", None, "h", "w"])
        faces = helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 3, *sides])
        answers = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, answer) for name in outputs
        ]
        nodes = self.nodes + named
        return helper.make_graph(nodes, "mtcnn", [faces], answers, self.initializers)


def _pnet(weights: Iterator[np.ndarray]) -> onnx.GraphProto:
    net = _Network(weights)
    x = net.pool(net.rectify(net.convolve("faces")), 2, "SAME_UPPER")
    x = net.rectify(net.convolve(x))
    x = net.rectify(net.convolve(x))
    offsets = net.convolve(x)
    scores = net.add("Softmax", net.convolve(x), axis=1)
    return net.end(None, offsets=offsets, scores=scores)


def _rnet(weights: Iterator[np.ndarray]) -> onnx.GraphProto:
    net = _Network(weights)
    x = net.pool(net.rectify(net.convolve("faces")), 3, "SAME_UPPER")
    x = net.pool(net.rectify(net.convolve(x)), 3, "VALID")
    x = net.flatten(net.rectify(net.convolve(x)))
    x = net.rectify(net.connect(x))
    offsets = net.connect(x)
    scores = net.add("Softmax", net.connect(x), axis=1)
    return net.end(24, offsets=offsets, scores=scores)


def _onet(weights: Iterator[np.ndarray]) -> onnx.GraphProto:
    net = _Network(weights)
    x = net.pool(net.rectify(net.convolve("faces")), 3, "SAME_UPPER")
    x = net.pool(net.rectify(net.convolve(x)), 3, "VALID")
    x = net.pool(net.rectify(net.convolve(x)), 2, "SAME_UPPER")
    x = net.flatten(net.rectify(net.convolve(x)))
    x = net.rectify(net.connect(x))
    offsets = net.connect(x)
    landmarks = net.connect(x)
    scores = net.add("Softmax", net.connect(x), axis=1)
    return net.end(48, offsets=offsets, landmarks=landmarks, scores=scores)

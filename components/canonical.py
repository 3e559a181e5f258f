"""One form of an ONNX graph: the same network is the same bytes, and resizes to whole pixels.

tf2onnx numbers what it makes by the order in which it gets round to it, which differs from
process to process. And it writes sizes as float32 factors: 48 pixels times 40/48 are then 39.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

BATCH = "faces"  # what the free dimension is called


def canonicalise(path: Path) -> None:
    """Rewrites a graph in place: values and nodes are named by where they first occur.

    Args:
        path: An ONNX file without subgraphs, as tf2onnx writes feed-forward networks. Names of
            inputs and outputs stay.
    """
    model = onnx.load(path)
    _resize_to_whole_pixels(model)
    graph = model.graph
    names = {value.name: value.name for value in (*graph.input, *graph.output)}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for values in (node.input, node.output):
            for value in filter(None, values):  # an optional input that is not given is empty
                names.setdefault(value, f"value_{len(names)}")
            values[:] = [names.get(value, value) for value in values]
    order = {name: place for place, name in enumerate(names.values())}
    constants = sorted(graph.initializer, key=lambda constant: order[names[constant.name]])
    for constant in constants:
        constant.name = names[constant.name]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(constants)
    for value in (*graph.input, *graph.output):
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_param = BATCH
    path.write_bytes(model.SerializeToString(deterministic=True))


def _resize_to_whole_pixels(model: onnx.ModelProto) -> None:
    """Raises factors that fall short of a whole number of pixels to the next that does not."""
    constants = {constant.name: constant for constant in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Resize":
            continue
        constant = constants[node.input[2]]
        factors = numpy_helper.to_array(constant).copy()  # of batch, channels, height, width
        for axis, side in enumerate(_sides(model, node.input[0]), start=2):
            whole = round(side * float(factors[axis]))
            while side * float(factors[axis]) < whole:
                factors[axis] = np.nextafter(factors[axis], np.float32(np.inf))
        constant.CopyFrom(numpy_helper.from_array(factors, constant.name))


def _sides(model: onnx.ModelProto, name: str) -> list[int]:
    """Returns height and width of a value; a resize before it has to be to whole pixels already."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    (value,) = (value for value in (*inferred.input, *inferred.value_info) if value.name == name)
    _, _, *sides = (dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
    return sides

"""Weights of an ONNX graph in half of their bytes: kept as float16, computed with as float32."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

LEAST = 256  # numbers; of a smaller constant little is saved, and it may be no weight at all


def keep_as_float16(path: Path) -> None:
    """Rewrites a graph in place; a cast in front of each large constant makes it float32 again.

    Runtimes that fold constants, as ONNX Runtime does, cast once, when they load the graph.

    Args:
        path: An ONNX file. Its weights lose all but 11 bits of precision, and are infinite
            beyond 65,504.
    """
    model = onnx.load(path)
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < LEAST:
            continue
        whole, half = constant.name, f"{constant.name}_half"
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        cast = helper.make_node("Cast", [half], [whole], to=onnx.TensorProto.FLOAT)
        model.graph.node.insert(0, cast)
    path.write_bytes(model.SerializeToString(deterministic=True))

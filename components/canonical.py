"""One form of an ONNX graph: the same network is the same bytes.

tf2onnx numbers what it makes by the order in which it gets round to it, which differs from
process to process.
"""

from pathlib import Path

import onnx

BATCH = "faces"  # what the free dimension is called


def canonicalise(path: Path) -> None:
    """Rewrites a graph in place: values and nodes are named by where they first occur.

    Args:
        path: An ONNX file without subgraphs, as tf2onnx writes feed-forward networks. Names of
            inputs and outputs stay.
    """
    model = onnx.load(path)
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

"""One network, one graph: values and nodes are named by where they are, not by who made them."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from components.canonical import canonicalise


@pytest.fixture
def write(tmp_path):
    """Writes `faces * 2 + 1` with names of one's own."""

    def write(names: dict[str, str], reverse: bool) -> bytes:
        shape = [names["batch"], 3]
        constants = [
            numpy_helper.from_array(np.float32([value]), names[key])
            for key, value in (("two", 2), ("one", 1))
        ]
        graph = helper.make_graph(
            [
                helper.make_node("Mul", ["faces", names["two"]], [names["twice"]], names["node"]),
                helper.make_node("Add", [names["twice"], names["one"]], ["answer"]),
            ],
            "graph",
            [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)],
            constants[::-1] if reverse else constants,
        )
        path = tmp_path / "graph.onnx"
        opset = [helper.make_opsetid("", 15)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
        canonicalise(path)
        session = onnxruntime.InferenceSession(path)
        (answer,) = session.run(["answer"], {"faces": np.float32([[0, 1, 2]])})
        assert answer.tolist() == [[1, 3, 5]]
        return path.read_bytes()

    return write


NAMES = {"batch": "unk__7", "two": "const__3", "one": "const__4", "twice": "t:0", "node": "Mul__5"}
OTHERS = {"batch": "unk__8", "two": "const__9", "one": "a", "twice": "const__3", "node": "Mul__6"}


def test_names_and_the_order_of_constants_make_no_difference(write):
    assert write(NAMES, reverse=False) == write(OTHERS, reverse=True)


def test_a_canonical_graph_stays_as_it_is(write, tmp_path):
    first = write(NAMES, reverse=False)
    canonicalise(tmp_path / "graph.onnx")
    assert (tmp_path / "graph.onnx").read_bytes() == first


@pytest.mark.parametrize(
    ("size", "tta"), [(40, "none"), (32, "none"), (56, "none"), (40, "two_scales")]
)
def test_faces_are_resized_to_the_pixels_that_the_network_was_trained_with(tmp_path, size, tta):
    import keras

    from components import models
    from components.views import mean_logits

    network = models.build("mien", (48, 48, 1), 3, size, width=0.25)
    faces = keras.Input((48, 48, 1))
    model = keras.Model(faces, mean_logits(network, faces, tta))
    examples = 255 * np.random.default_rng(0).random((2, 48, 48, 1), np.float32)
    expected = model.predict(examples, verbose=0)
    model.export(tmp_path / "graph.onnx", format="onnx", verbose=False)
    canonicalise(tmp_path / "graph.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "graph.onnx")
    (answer,) = session.run(None, {session.get_inputs()[0].name: examples})
    assert answer.shape == expected.shape
    np.testing.assert_allclose(answer, expected, atol=1e-4)

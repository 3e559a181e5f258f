import numpy as np
import onnxruntime
import pytest

from pipelines.mtcnn import NETWORKS, convert

SIDES = {"pnet": 40, "rnet": 24, "onet": 48}


@pytest.mark.parametrize("name", NETWORKS)
def test_each_network_answers_as_its_original_on_tensorflow(tmp_path, name):
    from mtcnn.stages import StageONet, StagePNet, StageRNet

    original = {"pnet": StagePNet, "rnet": StageRNet, "onet": StageONet}[name]().model
    convert(tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
    side = SIDES[name]
    faces = np.random.default_rng(0).uniform(-1, 1, (3, side, side, 3)).astype(np.float32)
    answers = session.run(None, {"faces": faces.transpose(0, 3, 1, 2)})
    for answer, expected in zip(answers, original(faces), strict=True):
        if answer.ndim == 4:
            answer = answer.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(answer, expected.numpy(), atol=1e-4)

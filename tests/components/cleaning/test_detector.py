import numpy as np
import pytest

from components.cleaning.detector import confidences
from components.errors import InputError

FACES = np.zeros((2, 48, 48), np.uint8)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(InputError, match=r"yunet\.onnx is missing; put YuNet's \.onnx file there"):
        confidences(FACES, tmp_path / "yunet.onnx")


def test_a_file_that_is_no_model_is_named(tmp_path):
    (tmp_path / "yunet.onnx").write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"yunet\.onnx is not a YuNet model .* download it again"):
        confidences(FACES, tmp_path / "yunet.onnx")


def test_real_faces_are_found_and_blank_pictures_are_not(real_data, real_faces):
    models = sorted((real_data.parent / "models").glob("face_detection_yunet*.onnx"))
    if not models:
        pytest.skip("the model is not here")
    images = np.load(real_faces[0] / "faces.npy", mmap_mode="r")[:40]
    found = confidences(images, models[0])
    assert found.dtype == np.float32
    assert (found > 0.5).mean() > 0.8
    assert (confidences(FACES, models[0]) < 0.05).all()

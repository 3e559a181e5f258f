import pytest

from tests.components.cleaning.few_faces import Faces


@pytest.fixture
def faces(make_faces) -> Faces:
    return Faces(make_faces)


@pytest.fixture
def voted(faces) -> Faces:
    """Each FER+ class in every split, voted by all; the FER-2013 labels say otherwise."""
    faces.labels = [0] * 24
    faces.splits = ["train"] * 8 + ["val"] * 8 + ["test"] * 8
    faces.votes = [[10 * (column == row % 8) for column in range(10)] for row in range(24)]
    return faces

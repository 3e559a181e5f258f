"""A typed client of the service.

    with Client("http://localhost:3000") as mien:
        for face in mien.faces(Path("group.jpg"), min_face=40).faces:
            print(face.label, face.probabilities[face.label], face.certain)

It needs httpx, NumPy and pydantic.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np

from serving.answers import (
    CropOptions,
    CropsAnswer,
    Frame,
    ModelAnswer,
    PictureAnswer,
    PictureOptions,
    PicturesAnswer,
    Prediction,
    ProblemDetail,
    VideoEnd,
    VideoOptions,
)

Picture = bytes | Path


class AnswerError(Exception):
    """The service answered with a problem.

    Attributes:
        problem: What it said.
    """

    def __init__(self, problem: ProblemDetail) -> None:
        super().__init__(f"{problem.title} ({problem.status}): {problem.detail}")
        self.problem = problem


class Client:
    """Asks a service; every method raises `AnswerError` when it answers with a problem.

    Options are keywords with the names of `serving.answers.PictureOptions`; a misspelt one is an
    error before anything is sent.

    Args:
        address: Where the service is.
        timeout: Seconds to wait for an answer, or for the next line of a video's.
    """

    def __init__(self, address: str = "http://localhost:3000", timeout: float = 60) -> None:
        self._http = httpx.Client(base_url=address, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def faces(self, picture: Picture, **options: Any) -> PictureAnswer:
        """Finds the faces of a picture and reads their expressions."""
        answer = self._post("/faces", PictureOptions(**options), content=_bytes(picture))
        return PictureAnswer.model_validate_json(answer)

    def batch(self, pictures: Sequence[Picture], **options: Any) -> PicturesAnswer:
        """Answers many pictures, in their order."""
        files = [("image", _bytes(picture)) for picture in pictures]
        answer = self._post("/faces/batch", PictureOptions(**options), files=files)
        return PicturesAnswer.model_validate_json(answer)

    def annotated(self, picture: Picture, **options: Any) -> bytes:
        """Returns the picture as a PNG with a box, a label and perhaps a heat map on each face."""
        return self._post("/faces/annotated", PictureOptions(**options), content=_bytes(picture))

    def predict(self, crop: Picture, **options: Any) -> Prediction:
        """Reads the expression of one cropped face."""
        answer = self._post("/predict", CropOptions(**options), content=_bytes(crop))
        return Prediction.model_validate_json(answer)

    def crops(self, faces: np.ndarray, **options: Any) -> CropsAnswer:
        """Reads many cropped faces, (N, H, W, C) uint8 of the size that `model` tells."""
        file = io.BytesIO()
        np.save(file, faces, allow_pickle=False)
        options_ = CropOptions(**options)
        answer = self._post("/crops", options_, content=file.getvalue(), kind="application/x-npy")
        return CropsAnswer.model_validate_json(answer)

    def video(self, path: Path, **options: Any) -> Iterator[Frame | VideoEnd]:
        """Yields a `Frame` for each sampled frame, as it is ready, and at last a `VideoEnd`."""
        with self._stream("/video", path, VideoOptions(**options)) as answer:
            for line in answer.iter_lines():
                kind = Frame if '"faces"' in line else VideoEnd
                yield kind.model_validate_json(line)

    def annotated_video(self, path: Path, out: Path, **options: Any) -> None:
        """Writes an MP4 of the sampled frames with a box, a label and a track on each face.

        The answer begins when the last frame is done; give the client time (`timeout`).
        """
        with (
            self._stream("/video/annotated", path, VideoOptions(**options)) as answer,
            out.open("wb") as file,
        ):
            for piece in answer.iter_bytes():
                file.write(piece)

    def model(self) -> ModelAnswer:
        """Tells the model that answers."""
        answer = self._http.get("/model")
        if answer.is_error:
            raise _problem(answer)
        return ModelAnswer.model_validate_json(answer.content)

    @contextmanager
    def _stream(self, address: str, path: Path, options: VideoOptions) -> Iterator[httpx.Response]:
        asked = options.model_dump(exclude_defaults=True)
        headers = {"Content-Type": "video/*"}
        with (
            path.open("rb") as file,
            self._http.stream(
                "POST", address, params=asked, content=file, headers=headers
            ) as answer,
        ):
            if answer.is_error:
                answer.read()
                raise _problem(answer)
            yield answer

    def _post(
        self,
        path: str,
        options: CropOptions,
        kind: str = "application/octet-stream",
        **body: Any,
    ) -> bytes:
        headers = {"Content-Type": kind} if "content" in body else {}
        asked = options.model_dump(exclude_defaults=True)
        answer = self._http.post(path, params=asked, headers=headers, **body)
        if answer.is_error:
            raise _problem(answer)
        return answer.content


def _bytes(picture: Picture) -> bytes:
    return picture.read_bytes() if isinstance(picture, Path) else picture


def _problem(answer: httpx.Response) -> AnswerError:
    if answer.headers.get("content-type") == "application/problem+json":
        return AnswerError(ProblemDetail.model_validate_json(answer.content))
    # Something between here and the service spoke.
    detail = answer.text[:200]
    title = answer.reason_phrase
    return AnswerError(
        ProblemDetail(type="about:blank", title=title, status=answer.status_code, detail=detail)
    )

"""The HTTP interface: which address takes what, and its OpenAPI document at `/openapi.json`."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from serving import answers, website
from serving.answers import CropOptions, PictureOptions, ProblemDetail, VideoOptions
from serving.bodies import media_type, read_array, read_body, read_pictures, read_video
from serving.drawing import Recording, annotate
from serving.problems import KINDS, ProblemError, install
from serving.recognition import Recogniser
from serving.video import Video, follow

_DESCRIPTION = """
Send a picture as `multipart/form-data` in the field `image`, as the body itself, or as base64 in
JSON. What goes wrong is answered as RFC 9457's `application/problem+json`.

An expression is not an emotion. Inferring emotions at work or in education is forbidden in the
European Union, but for medical or safety reasons (AI Act, Article 5(1)(f)).
"""
_FILE = {"type": "string", "format": "binary"}
_NPY = "application/x-npy"
_PROBLEMS = {
    status: {"model": ProblemDetail, "content": {"application/problem+json": {}}}
    for status in sorted(set(KINDS.values()) - {404, 405, 500})
}


def _body(field: str, raw: tuple[str, ...], many: bool = False) -> dict[str, Any]:
    """OpenAPI's description of a body that the route reads by itself."""
    file = {"type": "array", "items": _FILE} if many else _FILE
    form = {"type": "object", "properties": {field: file}, "required": [field]}
    content: dict[str, Any] = {"multipart/form-data": {"schema": form}}
    content |= {kind: {"schema": _FILE} for kind in raw}
    if field == "image":
        encoded: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
        if many:
            encoded = {"type": "array", "items": encoded}
        name = "images" if many else "image"
        schema = {"type": "object", "properties": {name: encoded}, "required": [name]}
        content["application/json"] = {"schema": schema, "example": {name: "iVBORw0KGgo…"}}
    return {"requestBody": {"required": True, "content": content}}


_ONE = _body("image", ("image/*", "application/octet-stream"))
_MANY = _body("image", (), many=True)
_CROPS = _body("image", (_NPY,), many=True)
_LINES = {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}
_VIDEO = _body("video", ("video/*", "application/octet-stream"))

router = APIRouter()


@router.post("/faces", tags=["pictures"], openapi_extra=_ONE)
async def faces(
    request: Request, options: Annotated[PictureOptions, Query()]
) -> answers.PictureAnswer:
    """Finds the faces of one picture and reads their expressions."""
    recogniser = _recogniser(request)
    (file,) = await read_pictures(request, recogniser.limits, 1)
    answer, _ = await recogniser.picture(file, options)
    return answers.PictureAnswer(**dict(answer), **_lineage(recogniser, options))


@router.post(
    "/faces/annotated",
    tags=["pictures"],
    openapi_extra=_ONE,
    response_class=Response,
    responses={200: {"content": {"image/png": {"schema": _FILE}}}},
)
async def annotated(request: Request, options: Annotated[PictureOptions, Query()]) -> Response:
    """Answers the picture as a PNG with a box, a label and, if asked, a heat map on each face."""
    recogniser = _recogniser(request)
    (file,) = await read_pictures(request, recogniser.limits, 1)
    answer, pixels = await recogniser.picture(file, options)
    png = await recogniser.in_pool(lambda: cv2.imencode(".png", annotate(pixels, answer.faces))[1])
    return Response(png.tobytes(), media_type="image/png")


@router.post("/faces/batch", tags=["pictures"], openapi_extra=_MANY)
async def batch(
    request: Request, options: Annotated[PictureOptions, Query()]
) -> answers.PicturesAnswer:
    """Answers many pictures; one that cannot be read does not spoil the others."""
    recogniser = _recogniser(request)
    files = await read_pictures(request, recogniser.limits, recogniser.limits.max_pictures)

    async def one(file: bytes) -> answers.Picture | ProblemDetail:
        try:
            answer, _ = await recogniser.picture(file, options)
        except ProblemError as problem:
            return problem.body()
        return answer

    pictures = await asyncio.gather(*(one(file) for file in files))
    return answers.PicturesAnswer(pictures=pictures, **_lineage(recogniser, options))


@router.post("/predict", tags=["crops"], openapi_extra=_ONE)
async def predict(request: Request, options: Annotated[CropOptions, Query()]) -> answers.Prediction:
    """Reads the expression of one cropped face."""
    recogniser = _recogniser(request)
    files = await read_pictures(request, recogniser.limits, 1)
    crops = await recogniser.ready_crops(files)
    (expression,) = await recogniser.crops(crops, options)
    return answers.Prediction(**dict(expression), **_lineage(recogniser, options))


@router.post("/crops", tags=["crops"], openapi_extra=_CROPS)
async def crops(request: Request, options: Annotated[CropOptions, Query()]) -> answers.CropsAnswer:
    """Reads many cropped faces: pictures, or NumPy's `.npy` of (N, H, W, C) uint8.

    The size and channels of the array are `input_shape` of `/model`.
    """
    recogniser = _recogniser(request)
    limits = recogniser.limits
    if media_type(request) == _NPY:
        body = await read_body(request, limits, limits.max_bytes)
        shape = tuple(recogniser.manifest["input"]["shape"])
        faces = read_array(body, shape, limits.max_crops)
    else:
        files = await read_pictures(request, limits, limits.max_crops)
        faces = await recogniser.ready_crops(files)
    expressions = await recogniser.crops(faces, options)
    return answers.CropsAnswer(crops=expressions, **_lineage(recogniser, options))


@router.post(
    "/video",
    tags=["video"],
    openapi_extra=_VIDEO,
    response_class=StreamingResponse,
    responses={200: _LINES},
)
async def video(request: Request, options: Annotated[VideoOptions, Query()]) -> StreamingResponse:
    """Answers a video line by line: a `Frame` for each sampled frame, at last a `VideoEnd`."""
    recogniser = _recogniser(request)
    folder = tempfile.TemporaryDirectory(prefix="mien-")
    try:
        opened = await _open_video(request, options, Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise

    async def answer() -> AsyncIterator[str]:
        frames = 0
        with folder:
            async for frame, _ in follow(opened, recogniser, options):
                frames += 1
                yield frame.model_dump_json() + "\n"
        end = answers.VideoEnd(
            frames=frames, complete=opened.complete, **_lineage(recogniser, options)
        )
        yield end.model_dump_json() + "\n"

    return StreamingResponse(answer(), media_type="application/x-ndjson")


@router.post(
    "/video/annotated",
    tags=["video"],
    openapi_extra=_VIDEO,
    response_class=FileResponse,
    responses={200: {"content": {"video/mp4": {"schema": _FILE}}}},
)
async def annotated_video(
    request: Request, options: Annotated[VideoOptions, Query()]
) -> FileResponse:
    """Answers the sampled frames as an MP4 with boxes, labels and tracks, when all are done."""
    recogniser = _recogniser(request)
    folder = tempfile.TemporaryDirectory(prefix="mien-")
    try:
        opened = await _open_video(request, options, Path(folder.name))
        out = Path(folder.name) / "annotated.mp4"
        recording = Recording(out, min(options.fps, opened.fps or options.fps))
        async for frame, pixels in follow(opened, recogniser, options):
            if await request.is_disconnected():
                break
            await recogniser.in_pool(recording.add, pixels, frame.faces)
        recording.close()
        if not out.exists():
            raise ProblemError("unreadable-video", "no frame of the video can be decoded.")
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(out, media_type="video/mp4", background=BackgroundTask(folder.cleanup))


@router.get("/model", tags=["model"])
async def model(request: Request) -> answers.ModelAnswer:
    """Tells the model that answers: card, metrics, lineage."""
    recogniser = _recogniser(request)
    manifest = recogniser.manifest
    return answers.ModelAnswer(
        name=manifest["name"],
        classes=manifest["classes"],
        input_shape=manifest["input"]["shape"],
        members=manifest["members"],
        temperature=manifest["temperature"],
        abstain_below=manifest.get("abstain_below"),
        detectors=list(recogniser.detectors),
        max_bytes=recogniser.limits.max_bytes,
        metrics=manifest["metrics"],
        lineage={key: manifest[key] for key in ("onnx_sha256", "data_md5")},
        card=recogniser.card,
        **_lineage(recogniser),
    )


def create_app() -> FastAPI:
    """Makes the application; `app.state.recogniser` must be set before it is asked."""
    app = FastAPI(
        title="mien",
        summary="Facial-expression recognition with calibrated probabilities",
        description=_DESCRIPTION,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere
        redoc_url=None,
        responses=_PROBLEMS,
    )
    install(app)
    app.include_router(router)
    website.install(app)
    return app


async def _open_video(request: Request, options: VideoOptions, folder: Path) -> Video:
    """Receives the request's video into a folder and opens it."""
    recogniser = _recogniser(request)
    recogniser.detector(options)  # while a problem can still be answered
    recogniser.labels(options)
    path = folder / "video"
    await read_video(request, recogniser.limits, path)
    return await recogniser.in_pool(Video, path, recogniser.limits.max_pixels)


def _recogniser(request: Request) -> Recogniser:
    return request.app.state.recogniser


def _lineage(recogniser: Recogniser, options: CropOptions | None = None) -> dict[str, str]:
    manifest = recogniser.manifest
    return {
        "label_set": (options and options.label_set) or manifest["label_set"],
        "model_version": manifest["version"],
        "data_md5": manifest["data_md5"],
    }

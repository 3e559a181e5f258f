"""Reads what a request carries: multipart, raw bytes or base64 in JSON; never without a limit."""

import asyncio
import base64
import binascii
import contextlib
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from serving.limits import Limits
from serving.problems import ProblemError

_FORMS = (
    "send the picture as multipart/form-data in the field `image`, as the body itself with "
    'Content-Type image/*, or as JSON {"image": "<base64>"}'
)


async def read_pictures(request: Request, limits: Limits, most: int) -> list[bytes]:
    """Reads the pictures of a request, in any of the three forms.

    Args:
        request: The request.
        limits: How large it may be, and how long it may take.
        most: Pictures.

    Returns:
        1 to `most` files' bytes.

    Raises:
        ProblemError: If there is none, or more than allowed.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with _form(request, limits, limits.max_bytes) as form:
            files = [await part.read() for part in _parts(form, "image")]
    elif kind == "application/json":
        files = _base64(await read_body(request, limits, limits.max_bytes))
    elif kind.startswith("image/") or kind == "application/octet-stream":
        files = [await read_body(request, limits, limits.max_bytes)]
    else:
        raise ProblemError("unsupported-media-type", f"{kind or 'no type'}: {_FORMS}.")
    if not 0 < len(files) <= most:
        detail = f"there are {len(files)} pictures; here a request may have 1 to {most}."
        raise ProblemError("too-large" if files else "malformed-request", detail)
    return files


async def read_video(request: Request, limits: Limits, path: Path) -> None:
    """Writes the video of a request to `path`: the body itself, or the form's field `video`.

    Raises:
        ProblemError: If there is none, or it is too large.
    """
    kind = media_type(request)
    with path.open("wb") as file:
        if kind == "multipart/form-data":
            async with _form(request, limits, limits.max_video_bytes) as form:
                (part, *_) = _parts(form, "video")
                while piece := await part.read(2**20):
                    await asyncio.to_thread(file.write, piece)
        elif kind.startswith("video/") or kind == "application/octet-stream":
            async for piece in pieces(request, limits, limits.max_video_bytes):
                await asyncio.to_thread(file.write, piece)
        else:
            detail = f"{kind or 'no type'}: send the video as the body itself, with Content-Type "
            detail += "video/*, or as multipart/form-data in the field `video`."
            raise ProblemError("unsupported-media-type", detail)


def read_array(encoded: bytes, shape: tuple[int, int, int], most: int) -> np.ndarray:
    """Reads ready crops from NumPy's file format.

    Args:
        encoded: What `numpy.save` writes: (N, H, W, C) or, of grey ones, (N, H, W) uint8.
        shape: (H, W, C) of a crop.
        most: Crops at most.

    Returns:
        (N, H, W, C) uint8.

    Raises:
        ProblemError: If it is something else.
    """
    expected = f"a .npy file of uint8 with the shape (N, {', '.join(map(str, shape))})"
    try:
        crops = np.load(io.BytesIO(encoded), allow_pickle=False)
        if not isinstance(crops, np.ndarray):
            raise ValueError("it is an archive")
    except Exception as error:  # NumPy's header parser raises almost anything on damaged bytes
        said = " ".join(str(error).split())[:200]
        detail = f"the body is not {expected} ({said})."
        raise ProblemError("malformed-request", detail) from error
    if crops.dtype != np.uint8 or crops.shape[1:] not in (shape, shape[:2] if shape[2] == 1 else 0):
        detail = f"expected {expected}, got {crops.dtype} {crops.shape}."
        raise ProblemError("malformed-request", detail)
    if not 0 < len(crops) <= most:
        raise ProblemError("too-large", f"{len(crops)} crops; send 1 to {most} in a request.")
    return crops.reshape(-1, *shape)


async def read_body(request: Request, limits: Limits, most: int) -> bytes:
    """Reads the whole body, of at most `most` bytes."""
    return b"".join([piece async for piece in pieces(request, limits, most)])


async def pieces(request: Request, limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yields a body as it arrives.

    Args:
        request: The request.
        limits: How long it may take.
        most: Bytes.

    Raises:
        ProblemError: If it is longer, too slow, or its sender goes away.
    """
    too_large = ProblemError("too-large", f"the body has more than {most:,} bytes.")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise too_large
    stream, end, size = request.stream(), time.monotonic() + limits.upload_seconds, 0
    while True:
        left = min(limits.upload_silence_seconds, end - time.monotonic())
        try:
            piece = await asyncio.wait_for(anext(stream), max(left, 0))
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise ProblemError("upload-timeout", "the body did not arrive in time.") from None
        except ClientDisconnect:
            raise ProblemError("malformed-request", "the body ends too early.") from None
        size += len(piece)
        if size > most:
            raise too_large
        yield piece


def media_type(request: Request) -> str:
    """The request's content type, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


@contextlib.asynccontextmanager
async def _form(request: Request, limits: Limits, most: int) -> AsyncIterator[FormData]:
    parser = MultiPartParser(
        request.headers,
        pieces(request, limits, most),
        max_files=limits.max_crops,
        max_fields=limits.max_crops,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many" in error.message:
            raise ProblemError("too-large", f"{error.message}") from error
        raise ProblemError("malformed-request", f"multipart: {error.message}.") from error
    except (KeyError, UnicodeError, ValueError) as error:  # no boundary, or a damaged header
        raise ProblemError("malformed-request", "multipart: its header is damaged.") from error
    try:
        yield form
    finally:
        await form.close()


def _parts(form: FormData, name: str) -> list[UploadFile]:
    parts = form.getlist(name)
    if not parts or any(not isinstance(part, UploadFile) for part in parts):
        raise ProblemError("malformed-request", f"the form needs a file in the field `{name}`.")
    return parts


def _base64(body: bytes) -> list[bytes]:
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise ProblemError("malformed-request", "the body is not JSON.") from None
    texts = asked.get("images", [asked.get("image")]) if isinstance(asked, dict) else None
    if not isinstance(texts, list) or any(not isinstance(text, str) for text in texts):
        detail = 'the JSON must be {"image": "<base64>"} or {"images": ["<base64>", …]}.'
        raise ProblemError("malformed-request", detail)
    try:
        # A browser's data URL starts with the type: data:image/png;base64,…
        return [base64.b64decode(text.rpartition(",")[2], validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise ProblemError("malformed-request", "a picture in the JSON is not base64.") from None

"""Errors as RFC 9457 says: `application/problem+json` with type, title, status and detail."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from serving.answers import ProblemDetail
from serving.monitoring import REJECTED

logger = logging.getLogger(__name__)

# What a client may tell apart by program, and the status each comes with.
KINDS = {
    "unreadable-picture": 400,
    "animated-picture": 400,
    "unreadable-video": 400,
    "malformed-request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "upload-timeout": 408,
    "too-large": 413,
    "unsupported-media-type": 415,
    "invalid-option": 422,
    "too-many-requests": 429,
    "internal-error": 500,
    "overloaded": 503,
    "timeout": 504,
}
# Answered before the whole body was read: the rest of it need not be sent.
_UNREAD = {401, 403, 408, 413, 415, 429, 503}
_TITLES = {kind: kind.replace("-", " ").capitalize() for kind in KINDS}


class ProblemError(Exception):
    """The request cannot be answered.

    Args:
        kind: A key of `KINDS`.
        detail: One sentence for the person who sent it.
        retry_after: Seconds after which it is worth another try; of 429 and 503.
    """

    def __init__(self, kind: str, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after

    def body(self) -> ProblemDetail:
        """Counts the problem and returns it as an answer."""
        REJECTED.labels(self.kind).inc()
        return ProblemDetail(
            type=f"urn:mien:{self.kind}",
            title=_TITLES[self.kind],
            status=KINDS[self.kind],
            detail=self.detail,
        )

    def response(self) -> JSONResponse:
        """Counts the problem and returns it as a response."""
        body = self.body()
        headers = {}
        if body.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            headers["Retry-After"] = str(self.retry_after)
        if body.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        if body.status in _UNREAD:
            headers["Connection"] = "close"
        return JSONResponse(
            body.model_dump(), body.status, headers, media_type="application/problem+json"
        )


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem."""

    @app.exception_handler(ProblemError)
    async def known(_: Request, problem: ProblemError) -> JSONResponse:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def option(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        return ProblemError("invalid-option", f"{where}: {first['msg']}.").response()

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            detail = f"{request.url.path} does not answer {request.method}; see /openapi.json."
            response = ProblemError("method-not-allowed", detail).response()
        else:
            response = ProblemError(
                "not-found", "there is nothing at this address; see /openapi.json."
            ).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        logger.error("unforeseen error", exc_info=error)
        return ProblemError("internal-error", "the service failed; its log says why.").response()

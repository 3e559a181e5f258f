"""The service's log: a line of JSON a request, on standard output.

It says what was asked and how it went, never what a picture shows: no pixels, no answers, no
file names, no addresses of clients. `request` is the answer's header X-Request-ID.
"""

import json
import logging
import sys
import time
import uuid
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("serving")


class JsonLines(logging.Formatter):
    """A record as one line of JSON, with what `extra={"fields": ...}` adds."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class RequestLog:
    """Logs each request when it has been answered.

    Args:
        app: What answers. It may leave the caller's name in `scope["state"]["caller"]`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request = time.perf_counter(), uuid.uuid4().hex
        seen = {"status": None, "received": 0, "sent": 0}

        async def counted() -> Message:
            message = await receive()
            seen["received"] += len(message.get("body", b""))
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                header = (b"x-request-id", request.encode())
                message = message | {"headers": [*message.get("headers", ()), header]}
            seen["sent"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted, marked)
        finally:
            fields = {"request": request, "method": scope["method"], "path": scope["path"]}
            fields |= seen | {"seconds": round(time.perf_counter() - started, 4)}
            fields |= {"caller": scope.get("state", {}).get("caller")}
            logger.info("request", extra={"fields": fields})


def install() -> None:
    """Makes what the service logs lines of JSON; what BentoML says of itself stays as it is."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False

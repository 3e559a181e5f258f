"""How many requests are answered at a time, and how long an answer may take to begin."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import ProblemError


class Admission:
    """Turns requests away while too many are being answered, before reading their bodies.

    Args:
        app: What answers them.
        most: Requests at a time.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._present = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._present >= self._most:
            detail = "the service is busy; try again after the seconds in Retry-After."
            await ProblemError("overloaded", detail).response()(scope, receive, send)
            return
        self._present += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._present -= 1


class Deadline:
    """Gives up on requests whose answer does not begin in time.

    Args:
        app: What answers them.
        seconds: From a request's first byte to its answer's.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        deadline = asyncio.timeout(self._seconds)

        async def begun(message: Message) -> None:
            deadline.reschedule(None)
            await send(message)

        try:
            async with deadline:
                await self._app(scope, receive, begun)
        except TimeoutError:
            if not deadline.expired():
                raise
            detail = f"there was no answer within {self._seconds:g} seconds; send less."
            await ProblemError("timeout", detail).response()(scope, receive, send)

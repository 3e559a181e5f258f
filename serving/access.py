"""Who may ask, and how often: API keys, a rate for each, and other sites' pages.

All of it is off until an environment variable says otherwise. A key's line for the file that
MIEN_KEYS names comes from

    python -m serving.access NAME
"""

import argparse
import hashlib
import math
import os
import re
import secrets
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, PositiveInt, field_validator
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.problems import ProblemError

OPEN = re.compile(r"/|/page/.*|/openapi\.json")  # what is read before a key can be given
_LINE = re.compile(r"(\S+) ([0-9a-f]{64})")
_MOST = 10_000  # addresses whose rate is remembered


class Access(BaseModel):
    """Each is set by an environment variable of its name, as in `MIEN_KEYS`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: Path | None = None  # file of lines `NAME SHA-256`; without it everybody may ask
    requests_per_minute: PositiveInt | None = None  # of a key, or of an address without keys
    allowed_origins: tuple[str, ...] = ()  # sites whose pages may ask, such as https://example.org

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split(cls, origins: object) -> object:
        return tuple(origins.replace(",", " ").split()) if isinstance(origins, str) else origins


def from_environment() -> Access:
    """Reads what `MIEN_...` variables say.

    Raises:
        pydantic.ValidationError: If one is of the wrong kind.
    """
    names = {name: f"MIEN_{name.upper()}" for name in Access.model_fields}
    return Access(**{name: os.environ[key] for name, key in names.items() if key in os.environ})


def read_keys(file: Path) -> dict[str, str]:
    """Returns the name of each key by the key's SHA-256.

    Raises:
        ValueError: If a line is not `NAME SHA-256`.
    """
    names = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise ValueError(
                f"{file}, line {number}: expected NAME SHA-256; make one with "
                "`python -m serving.access NAME`."
            )
        names[found[2]] = found[1]
    return names


class Rate:
    """How long each caller has to wait.

    Source: the generic cell rate algorithm, ITU-T Recommendation I.371.

    Args:
        per_minute: Requests; so many may also come at once.
    """

    def __init__(self, per_minute: int) -> None:
        self._interval = 60 / per_minute
        self._slack = 60 - self._interval
        self._due: dict[str, float] = {}

    def wait(self, caller: str, now: float) -> float:
        """Seconds until `caller` may ask; at 0 the request counts."""
        due = max(self._due.get(caller, now), now)
        if due - now > self._slack + 1e-9:
            return due - now - self._slack
        if len(self._due) >= _MOST:
            self._due = {name: then for name, then in self._due.items() if then > now}
        self._due[caller] = due + self._interval
        return 0.0


class Gate:
    """Turns callers away that have no key or ask too often, before their bodies are read.

    Args:
        app: What answers the others. It finds the key's name in `scope["state"]["caller"]`.
        names: As `read_keys` returns them; None lets everybody in.
        per_minute: Requests of one caller; None is any number.
    """

    def __init__(self, app: ASGIApp, names: dict[str, str] | None, per_minute: int | None) -> None:
        self._app = app
        self._names = names
        self._rate = Rate(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not OPEN.fullmatch(scope["path"]):
            try:
                self._check(scope)
            except ProblemError as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        caller = (scope["client"] or ("unknown",))[0]
        if self._names is not None:
            caller = self._name(Headers(scope=scope))
            scope.setdefault("state", {})["caller"] = caller
        wait = self._rate.wait(caller, time.monotonic()) if self._rate else 0
        if wait:
            detail = "too many requests a minute; try again after the seconds in Retry-After."
            raise ProblemError("too-many-requests", detail, retry_after=math.ceil(wait))

    def _name(self, headers: Headers) -> str:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        key = bearer if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        if not key.strip():
            detail = "send your API key as `Authorization: Bearer KEY` or `X-API-Key: KEY`."
            raise ProblemError("unauthorized", detail)
        # Keys are long and drawn by lot, so that a plain digest cannot be turned around, and the
        # time a look-up takes says nothing of other keys.
        name = self._names.get(hashlib.sha256(key.strip().encode()).hexdigest())
        if name is None:
            raise ProblemError("forbidden", "this API key is not known here.")
        return name


def guard(app: ASGIApp, access: Access) -> ASGIApp:
    """Wraps `app` in what `access` asks for.

    Raises:
        ValueError, OSError: If the file of keys cannot be used.
    """
    if access.keys or access.requests_per_minute:
        names = read_keys(access.keys) if access.keys else None
        app = Gate(app, names, access.requests_per_minute)
    if access.allowed_origins:
        app = CORSMiddleware(
            app,
            allow_origins=access.allowed_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["Retry-After"],
        )
    return app


def main() -> None:
    """Prints a new key and its line."""
    parser = argparse.ArgumentParser(description="Make an API key.")
    parser.add_argument("name", help="whose key it is; the logs have it")
    name = parser.parse_args().name
    if not re.fullmatch(r"\S+", name):
        parser.error("the name must be one word")
    key = secrets.token_urlsafe(32)
    print(f"key, for {name} alone: {key}")
    print(f"line, for the file in MIEN_KEYS: {name} {hashlib.sha256(key.encode()).hexdigest()}")


if __name__ == "__main__":
    main()

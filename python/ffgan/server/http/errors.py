# SPDX-License-Identifier: GPL-3.0-or-later
"""Every answer that is not what was asked for: JSON that a program can tell apart by `reason`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ffgan.errors import UsageError

RETRY_SECONDS = 1
# nginx's status for a client that hung up: nobody reads it, but the log shows what happened.
CLIENT_CLOSED_REQUEST = 499

REASONS = {404: "not_found", 405: "method_not_allowed"}


class Problem(BaseModel):
    """The body of every answer that is not what was asked for."""

    reason: Annotated[str, Field(description="one word for programs, such as `busy`")]
    message: Annotated[str, Field(description="a line for people")]
    parameter: Annotated[str | None, Field(description="the parameter that is wrong")] = None


class Refusal(Exception):
    """A request that gets a problem in place of its answer."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        parameter: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.parameter = parameter
        self.headers = headers or {}

    def answer(self) -> Response:
        body = Problem(reason=self.reason, message=str(self), parameter=self.parameter)
        return JSONResponse(
            body.model_dump(exclude_none=True),
            status_code=self.status,
            headers={"Cache-Control": "no-store", **self.headers},
        )


class Unavailable(Refusal):
    """No inference now; `reason` is `loading`, `failed`, `busy` or `stopping`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(503, reason, message, headers={"Retry-After": str(RETRY_SECONDS)})


class Disconnected(Exception):
    """The client left before its answer was ready."""


def problem(description: str) -> dict[str, Any]:
    """A problem as OpenAPI describes it."""
    return {"model": Problem, "description": description}


BUSY: dict[int | str, dict[str, Any]] = {
    503: problem("The model is loading, or too many requests wait")
}
INVALID: dict[int | str, dict[str, Any]] = {422: problem("A wrong parameter")}


def answer_problems(app: FastAPI) -> None:
    """Turns every error that a request can end with into its answer."""

    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return refusal.answer()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        # A rule about several parameters has no place of its own, and a message that names them.
        place = [str(part)[:40] for part in first["loc"][1:]]
        message = first["msg"].removeprefix("Value error, ")
        name = place[-1] if place else message.partition(":")[0]
        text = f"{name}: {message}" if place else message
        return Refusal(422, "invalid_parameter", text, parameter=name).answer()

    @app.exception_handler(UsageError)
    async def unusable(_: Request, error: UsageError) -> Response:
        return Refusal(422, "invalid_parameter", str(error)).answer()

    @app.exception_handler(Disconnected)
    async def disconnected(_: Request, error: Disconnected) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        reason = REASONS.get(error.status_code, "error")
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(app, request))
        return Refusal(error.status_code, reason, str(error.detail), headers=headers).answer()


def allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """All methods of a path: the framework names those of its first endpoint only."""
    methods: set[str] = set()
    for route in app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Error responses: JSON with a machine-readable ``reason``."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from ffgan.errors import UsageError
from ffgan.server.http.caching import NO_STORE, NotModified, OtherBody

RETRY_SECONDS = 1
# nginx's status for a client that disconnected: nobody receives it, but the log shows it.
CLIENT_CLOSED_REQUEST = 499

REASONS = {404: "not_found", 405: "method_not_allowed"}
MESSAGES = {404: "there is nothing at this URL; /docs lists those that there are"}


class Problem(BaseModel):
    """The body of every error response."""

    reason: Annotated[str, Field(description="one word for programs, such as `busy`")]
    message: Annotated[str, Field(description="a line for people")]
    parameter: Annotated[str | None, Field(description="the parameter that is wrong")] = None


class RequestError(Exception):
    """A request that is answered with an error response."""

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

    def response(self) -> Response:
        body = Problem(reason=self.reason, message=str(self), parameter=self.parameter)
        return JSONResponse(
            body.model_dump(exclude_none=True),
            status_code=self.status,
            headers={**NO_STORE, **self.headers},
        )


class Unavailable(RequestError):
    """No inference now; ``reason`` is ``loading``, ``failed``, ``busy`` or ``stopping``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(503, reason, message, headers={"Retry-After": str(RETRY_SECONDS)})


class Disconnected(Exception):
    """The client disconnected before its response was ready."""


def error_response(description: str) -> dict[str, Any]:
    """An error response as OpenAPI describes it."""
    return {"model": Problem, "description": description}


BUSY: dict[int | str, dict[str, Any]] = {
    503: error_response("The model is loading, or too many requests wait")
}
INVALID: dict[int | str, dict[str, Any]] = {422: error_response("An invalid parameter")}


def add_error_handlers(app: FastAPI) -> None:
    """Turns every exception that a request can end with into its response."""

    @app.exception_handler(NotModified)
    async def not_modified(_: Request, error: NotModified) -> Response:
        return Response(status_code=304, headers=error.headers)

    @app.exception_handler(OtherBody)
    async def other_body(_: Request, __: OtherBody) -> Response:
        message = "this is no longer what If-Match names: ask for the whole without it"
        return RequestError(412, "changed", message).response()

    @app.exception_handler(RequestError)
    async def request_error(_: Request, error: RequestError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        # A rule about several parameters has no location; its message begins with their name.
        location = [str(part)[:40] for part in first["loc"][1:]]
        message = _explanation(first)
        name = location[-1] if location else message.partition(":")[0]
        named = not location or message.startswith(f"{name} ")  # as those of constraints are
        text = message if named else f"{name}: {message}"
        return RequestError(422, "invalid_parameter", text, parameter=name).response()

    @app.exception_handler(UsageError)
    async def usage_error(_: Request, error: UsageError) -> Response:
        return RequestError(422, "invalid_parameter", str(error)).response()

    @app.exception_handler(Disconnected)
    async def disconnected(_: Request, error: Disconnected) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        reason = REASONS.get(error.status_code, "error")
        headers = dict(error.headers or {})
        message = MESSAGES.get(error.status_code, str(error.detail))
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(app, request))
            message = f"this URL takes {headers['Allow']}"
        return RequestError(error.status_code, reason, message, headers=headers).response()


def _explanation(error: dict[str, Any]) -> str:
    """What is wrong with a value, in the words of the documentation, not of pydantic."""
    kind, context = error["type"], error.get("ctx", {})
    shown = repr(error.get("input"))
    given = f", not {shown if len(shown) <= 60 else shown[:57] + '...'}"
    if kind == "missing":
        return "missing; this URL needs it"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"must be {context['expected']}{given}"
    if kind == "string_pattern_mismatch":
        return f"not of the form that /docs describes: {shown[:60]}"
    for limit, words in (("ge", "at least"), ("le", "at most")):
        if limit in context:
            bound = context[limit]
            return f"must be {words} {f'{bound:g}' if isinstance(bound, float) else bound}{given}"
    if kind.startswith("int_"):
        return f"must be a whole number{given}"
    return f"must be a finite number{given}"


def allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """All methods of a path: the framework names those of its first endpoint only."""
    methods: set[str] = set()
    for route in app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)

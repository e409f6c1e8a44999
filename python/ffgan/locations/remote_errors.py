# SPDX-License-Identifier: GPL-3.0-or-later
"""What packages behind URLs say when something fails, as one line, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ffgan.errors import escaped
from ffgan.locations.location import Url

_CREDENTIALS: Final[Mapping[str, str]] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "gcloud auth application-default login",
    "hf": "hf auth login",
}

# What libraries call errors, whose modules cannot be imported where they are not installed.
_NO_CREDENTIALS: Final = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "DefaultCredentialsError",
    "ProfileNotFound",
)
_NO_CONNECTION: Final = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "HTTPClientError",
    "ClientConnectorError",
    "ServerDisconnectedError",
    "ConnectError",
)


def why(error: BaseException) -> str:
    """What a library says of a file system, as one line."""
    return _first(error)


def way_out(url: Url, error: BaseException) -> str:
    """What to do about an error of a file system, as far as it tells."""
    protocol = url.scheme
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    if names & set(_NO_CREDENTIALS) or isinstance(error, PermissionError):
        hint = _CREDENTIALS.get({"s3a": "s3", "gcs": "gs"}.get(protocol, protocol))
        return "give credentials that may" + (f" ({hint})" if hint else "")
    if isinstance(error, FileNotFoundError):
        bucket = url.text.partition("://")[2].partition("/")[0]
        return f"see that {bucket} is there"
    if names & set(_NO_CONNECTION) or isinstance(error, (ConnectionError, TimeoutError)):
        return "check the network and the address"
    return "check the place"


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or one.__context__
    return found


def _first(error: BaseException) -> str:
    """The first line of what it says; s3fs raises OSError with a number before the text."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return escaped(text.strip().splitlines()[0].rstrip(". "))

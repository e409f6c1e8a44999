# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the server, from which its command line and its documentation follow."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, model_validator

from ffgan.errors import UsageError
from ffgan.model import BF16, DEFAULT_PRECISION, DEFAULT_TRIES, MAX_TRIES, Precision
from ffgan.settings import BaseSettings, setting

DEFAULT_PORT = 9190

ENVIRONMENT = "FFGAN_WEB_"
"""Before the name of a setting in capitals: the environment variable that ``create_app`` reads."""

MIN_SIZE = 16
MIN_SECONDS = 0.001


def _split(value: Any) -> Any:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _is_prefix(path: str) -> str:
    if path and not (path.startswith("/") and not path.endswith("/") and path.isascii()):
        raise ValueError("a path such as /faces")
    return path


def _are_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    # Browsers send a scheme and a host, no more, and it must be equal.
    if not all(
        origin in ("*", "null") or re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+", origin)
        for origin in origins
    ):
        raise ValueError("origins such as https://a.org, without a path or a slash behind, or *")
    return origins


Texts = Annotated[tuple[str, ...], BeforeValidator(_split)]
Origins = Annotated[Texts, AfterValidator(_are_origins)]
Prefix = Annotated[str, AfterValidator(_is_prefix)]


class EnvironmentUsageError(UsageError, TypeError):
    """An environment variable that is no setting, or has a wrong value.

    It is a TypeError because of that, and nothing else, of a factory, uvicorn makes one line.
    """


def _with_variables(message: str, names: Iterable[str]) -> str:
    """A message about settings with their environment variables instead of their options."""
    for name in sorted(names, key=len, reverse=True):
        message = message.replace(f"--{name.replace('_', '-')} ", f"{ENVIRONMENT}{name.upper()} ")
    if message.startswith("unknown setting "):
        words = message.removeprefix("unknown setting ").split(": ", 1)
        asked = re.sub(
            "(?<=did you mean )([a-z_]+)", lambda m: ENVIRONMENT + m[1].upper(), words[1]
        )
        message = f"unknown setting {ENVIRONMENT}{words[0].upper()}: {asked}"
    return f"environment: {message}"


class Settings(BaseSettings):
    """The settings of the server; every limit holds for one request.

    Raises UsageError for an unknown name or a value out of range.
    """

    command = "ffgan web"

    tries: int = setting(
        DEFAULT_TRIES,
        ge=1,
        le=MAX_TRIES,
        group="faces",
        metavar="N",
        common=True,
        help="draws per face until the discriminator accepts one, else the best is taken; where a "
        "request names none",
    )
    threshold: float | None = setting(
        None,
        group="faces",
        metavar="SCORE",
        absent="the model's own",
        common=True,
        help="discriminator score above which a face is accepted; where a request names none",
    )
    precision: Precision = setting(
        DEFAULT_PRECISION,
        group="faces",
        common=True,
        help=f"of the generator's products in a model that is loaded; {BF16}",
    )
    queue: int = setting(
        64,
        ge=0,
        group="load",
        metavar="N",
        common=True,
        help="faces that may wait for the engine; beyond that the answer is 503",
    )
    batch: int = setting(
        8, ge=1, group="load", metavar="N", help="faces that the engine draws at once"
    )
    batch_wait: float = setting(
        0.0,
        ge=0,
        group="load",
        metavar="MILLISECONDS",
        help="batching delay while idle, in milliseconds",
    )
    tokens: Texts = setting(
        (),
        group="access",
        metavar="TOKENS",
        help="bearer tokens; with any, all requests but /health/ need one",
    )
    cors: Origins = setting(
        (),
        group="access",
        metavar="ORIGIN",
        help="origins whose pages may read the responses, such as https://a.org; *: any",
    )
    root_path: Prefix = setting(
        "",
        group="access",
        metavar="PATH",
        common=True,
        help="prefix under which a reverse proxy serves this",
    )
    allow_projection: bool = setting(
        False,
        group="access",
        common=True,
        help="offer POST /project, which finds the face nearest to an uploaded photograph",
    )
    access_log: bool = setting(
        False, group="access", help="write a line of JSON to stdout for each response"
    )
    max_tries: int = setting(
        100, ge=1, le=MAX_TRIES, group="limits of one request", metavar="N", help="draws per face"
    )
    max_asked_tries: int = setting(
        20,
        ge=1,
        le=MAX_TRIES,
        group="limits of one request",
        metavar="N",
        help="draws per face of which something is asked, each with up to five steps",
    )
    max_size: int = setting(
        1024,
        ge=MIN_SIZE,
        group="limits of one request",
        metavar="PIXELS",
        help="width and height of a face in pixels",
    )
    max_faces: int = setting(
        1000, ge=1, group="limits of one request", metavar="N", help="faces in an archive"
    )
    max_grid: int = setting(
        100, ge=1, group="limits of one request", metavar="N", help="faces in a grid"
    )
    max_frames: int = setting(
        240, ge=2, group="limits of one request", metavar="N", help="frames of an interpolation"
    )
    max_latents: int = setting(
        256, ge=1, group="limits of one request", metavar="N", help="latents in or out"
    )
    max_upload: int = setting(
        20 << 20, ge=1, group="limits of one request", metavar="BYTES", help="bytes of an upload"
    )
    max_uploads: int = setting(
        4,
        ge=1,
        group="load",
        metavar="N",
        help="uploads of the largest size that may be in memory; one client may hold a quarter",
    )
    memory: int = setting(
        300,
        ge=16,
        group="load",
        metavar="MB",
        help="memory, in MB, for images that are decoded, put together or encoded at one time",
    )
    memory_seconds: float = setting(
        10.0,
        ge=MIN_SECONDS,
        group="timeouts",
        metavar="SECONDS",
        help="seconds to wait for that memory; then the answer is 503",
    )
    max_pixels: int = setting(
        32_000_000,
        ge=1,
        group="limits of one request",
        metavar="N",
        help="pixels of an uploaded image, or of all images in a response",
    )
    projection_seconds: float = setting(
        20.0,
        ge=MIN_SECONDS,
        group="timeouts",
        metavar="SECONDS",
        help="seconds for the projection of a photograph; it ends with the best so far",
    )
    head_seconds: float = setting(
        10.0,
        ge=MIN_SECONDS,
        group="timeouts",
        metavar="SECONDS",
        help="seconds to send a request's headers",
    )
    upload_seconds: float = setting(
        20.0, ge=MIN_SECONDS, group="timeouts", metavar="SECONDS", help="seconds to send an upload"
    )
    send_seconds: float = setting(
        30.0,
        ge=MIN_SECONDS,
        group="timeouts",
        metavar="SECONDS",
        help="seconds to accept 64 KB of a response",
    )

    @model_validator(mode="after")
    def _check_tokens(self) -> Settings:
        # The message does not show them.
        if not all(re.fullmatch("[!-~]+", token) for token in self.tokens):
            raise ValueError("--tokens must be words of ASCII characters, as headers hold them")
        return self

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """The settings in the environment variables FFGAN_WEB_QUEUE, FFGAN_WEB_TOKENS and so on.

        Several tokens or origins are separated by commas.
        """
        found = os.environ if environment is None else environment
        given: dict[str, Any] = {
            name.removeprefix(ENVIRONMENT).lower(): value
            for name, value in found.items()
            if name.startswith(ENVIRONMENT)
        }
        try:
            return cls(**given)
        except UsageError as error:
            raise EnvironmentUsageError(_with_variables(str(error), cls.model_fields)) from None

    def __repr__(self) -> str:
        return f"Settings(queue={self.queue}, batch={self.batch}, ...)"  # without the tokens

    __str__ = __repr__

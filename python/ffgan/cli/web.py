# SPDX-License-Identifier: GPL-3.0-or-later
"""`ffgan web`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from ffgan.cli.options import Option, add_fields, add_search, add_threads, use_threads
from ffgan.cli.output import show_log
from ffgan.cli.parser import Command, Parser, integer, number
from ffgan.errors import UsageError

MAX_WORKERS = 256

EXAMPLES = """\
examples:
  ffgan web                          http://localhost:9190, for this computer only
  ffgan web --host 0.0.0.0           for every computer that reaches this one
  ffgan web --port 8000 --model runs/photos/model.safetensors
  ffgan web --token-file tokens --access-log json --root-path /faces

SIGHUP loads the model file again without losing a request; SIGTERM and Ctrl+C finish the requests
in progress."""

OPTIONS = {
    "load": (
        Option("queue", "faces that may wait for the engine; beyond, the answer is 503", "N"),
        Option("batch", "faces that are drawn at once", "N"),
        Option("batch_wait", "how long an idle engine waits for company", "MILLISECONDS"),
    ),
    "behind a proxy": (
        Option("root_path", "prefix under which the proxy serves this", "PATH", "none"),
    ),
    "limits of one request": (
        Option("max_tries", "draws per face", "N"),
        Option("max_size", "width and height of a face", "PIXELS"),
        Option("max_faces", "faces in an archive", "N"),
        Option("max_grid", "faces in a grid", "N"),
        Option("max_frames", "frames of an interpolation", "N"),
        Option("max_latents", "latents in or out", "N"),
        Option("max_upload", "size of an upload", "BYTES"),
        Option("max_uploads", "uploads in memory at one time", "N"),
        Option("max_pixels", "pixels of an uploaded or an answered image", "N"),
        Option("head_seconds", "to say what it wants", "SECONDS"),
        Option("upload_seconds", "to send an upload", "SECONDS"),
        Option("send_seconds", "to accept a part of the answer", "SECONDS"),
    ),
}


def add_options(parser: Parser) -> None:
    from ffgan.server import DEFAULT_GRACE, DEFAULT_PORT, Settings

    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 opens it to the network (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=integer(0, 65535),
        default=DEFAULT_PORT,
        help="0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=integer(1, MAX_WORKERS),
        default=1,
        help="1: one process uses all cores; for several see docs/deploy.md (default: %(default)s)",
    )
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=number(0, 3600),
        default=DEFAULT_GRACE,
        help="what requests in flight get when it is stopped (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=("critical", "error", "warning", "info", "debug"),
        default="warning",
        help="info prints a line per request (default: %(default)s)",
    )
    parser.add_argument(
        "--access-log",
        choices=("none", "json"),
        default="none",
        help="json prints an object per answer on stdout (default: %(default)s)",
    )
    add_search(parser)
    add_threads(parser)
    access = parser.add_argument_group("access")
    access.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="bearer tokens, one a line, of which a request needs one (default: none needed)",
    )
    access.add_argument(
        "--cors",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="origin whose pages may read the answers, such as https://a.org; repeatable; "
        "'*': any (default: none)",
    )
    add_fields(parser, Settings, OPTIONS)


def read_tokens(path: Path | None) -> tuple[str, ...]:
    """The tokens in a file, one a line."""
    if path is None:
        return ()
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    if not lines:
        raise UsageError(f"{path} holds no token: write one a line, e.g. openssl rand -hex 32")
    return tuple(lines)


def run(arguments: argparse.Namespace) -> int:
    from ffgan.server import Settings, serve

    use_threads(arguments)
    show_log("ffgan.server")
    fields = {field.name for field in dataclasses.fields(Settings)}
    given = {name: value for name, value in vars(arguments).items() if name in fields}
    given |= {
        "tokens": read_tokens(arguments.token_file),
        "cors": tuple(arguments.cors),
        "access_log": arguments.access_log == "json",
    }
    serve(
        arguments.model,
        host=arguments.host,
        port=arguments.port,
        workers=arguments.workers,
        log_level=arguments.log_level,
        grace=arguments.grace,
        settings=Settings(**given),
        ready=lambda address: print(f"ffgan: serving {address} (Ctrl+C stops)", flush=True),
    )
    return 0


COMMAND = Command(
    "serve faces to browsers",
    "Serve faces to browsers.",
    EXAMPLES,
    add_options,
    run,
)

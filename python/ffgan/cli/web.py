# SPDX-License-Identifier: GPL-3.0-or-later
"""``ffgan web``."""

from __future__ import annotations

import argparse
from pathlib import Path

from ffgan.cli.options import MODEL_HELP, add_threads, use_threads
from ffgan.cli.output import shown_log
from ffgan.cli.parser import Command, Parser, integer, local_path, number
from ffgan.cli.streams import never_wait
from ffgan.errors import UsageError

MAX_WORKERS = 256

EXAMPLES = """\
examples:
  ffgan web                 http://localhost:9190, for this computer only
  ffgan web --host 0.0.0.0  for every computer that reaches this one
  ffgan web --port 8000 --model runs/photos/model.safetensors
  ffgan web --token-file tokens --access-log json --root-path /faces

SIGHUP loads the model file again without losing a request; SIGTERM and Ctrl+C
finish the requests in progress."""

# Settings whose options are other ones: a file, a repeatable one and a choice.
OTHERWISE = ("tokens", "cors", "access_log")


def add_options(parser: Parser) -> None:
    from ffgan.cli.settings_options import add_settings
    from ffgan.server import DEFAULT_GRACE, DEFAULT_PORT, Settings

    parser.add_argument("--model", metavar="FILE", type=local_path, help=MODEL_HELP)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 opens it to the network (default: %(default)s)",
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
        help="time for requests in progress to finish when it is stopped (default: %(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=("critical", "error", "warning", "info", "debug"),
        default="warning",
        help="of uvicorn's log on stderr; info has a line per request (default: %(default)s)",
    )
    parser.add_argument(
        "--access-log",
        dest="access_log_format",
        choices=("none", "json"),
        help="json writes a line of JSON to stdout for each response (default: none)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=local_path,
        help="bearer tokens, one a line; a request then needs one (default: none needed)",
    )
    parser.add_argument(
        "--cors",
        metavar="ORIGIN",
        dest="origins",
        action="append",
        help="origin whose pages may read the responses, such as https://a.org; repeatable; "
        "'*': any (default: none)",
    )
    add_threads(parser)
    add_settings(parser, Settings, without=OTHERWISE)


def read_tokens(path: Path) -> tuple[str, ...]:
    """The tokens in a file, one a line."""
    try:
        lines = path.read_text("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII text"
        raise UsageError(f"{path} cannot be read: {reason}") from error
    if not lines:
        raise UsageError(f"{path} holds no token: write one a line, e.g. openssl rand -hex 32")
    return tuple(lines)


def run(arguments: argparse.Namespace) -> int:
    from ffgan.cli.settings_options import given_settings
    from ffgan.server import Settings, serve

    never_wait()
    use_threads(arguments)
    given = given_settings(arguments, Settings)
    if arguments.token_file is not None:
        given["tokens"] = read_tokens(arguments.token_file)
    if arguments.origins is not None:
        given["cors"] = tuple(arguments.origins)
    if arguments.access_log_format is not None:
        given["access_log"] = arguments.access_log_format == "json"
    with shown_log("ffgan.server"):
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
    "Serve faces to browsers.",
    EXAMPLES,
    add_options,
    run,
)

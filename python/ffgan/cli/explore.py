# SPDX-License-Identifier: GPL-3.0-or-later
"""``ffgan explore``."""

from __future__ import annotations

import argparse
import os
import threading

from ffgan.cli.options import add_search, add_threads, use_threads
from ffgan.cli.output import notice, shown_log
from ffgan.cli.parser import Command, Parser, integer
from ffgan.cli.streams import never_wait
from ffgan.latent import MAX_SEED

EXAMPLES = """\
examples:
  ffgan explore               opens the page of `ffgan web`, at a free port
  ffgan explore --seed 7      begin with this face
  ffgan explore --model runs/photos/model.safetensors
  ffgan explore --no-browser  only print the address

Ctrl+C in the terminal ends it."""


def add_options(parser: Parser) -> None:
    parser.add_argument(
        "--seed", type=integer(0, MAX_SEED), help="the face to begin with (default: a random one)"
    )
    parser.add_argument(
        "--port",
        type=integer(0, 65535),
        default=0,
        help="port of the page; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--no-browser",
        action="store_true",
        help="print the address and open nothing (default: open the browser)",
    )
    add_search(parser)
    add_threads(parser)


def run(arguments: argparse.Namespace) -> int:
    from ffgan.server import Settings, serve

    never_wait()
    use_threads(arguments)

    def ready(address: str) -> None:
        page = f"{address}/" if arguments.seed is None else f"{address}/?seed={arguments.seed}"
        print(f"ffgan: the page is at {page} (Ctrl+C stops)", flush=True)
        if not arguments.no_browser:
            # Some browsers return only when they are closed.
            threading.Thread(target=open_browser, args=(page,), daemon=True).start()

    with shown_log("ffgan.server"):
        serve(
            arguments.model,
            port=arguments.port,
            settings=Settings(
                tries=arguments.tries,
                threshold=arguments.threshold,
                precision=arguments.precision,
            ),
            ready=ready,
        )
    return 0


def open_browser(page: str) -> None:
    """Show ``page`` in the user's browser, or say in one line that none could be opened."""
    import webbrowser

    try:
        browser = webbrowser.get()
        # One for the terminal would take this one over, and shows neither faces nor sliders.
        textual = type(browser) is webbrowser.GenericBrowser and "BROWSER" not in os.environ
        opened = not textual and browser.open(page)
    except webbrowser.Error:
        opened = False
    if not opened:
        notice("no browser could be opened: open the address yourself, or set BROWSER")


COMMAND = Command(
    "Open the page in the browser: sliders along the latent space, blends, a gallery.",
    EXAMPLES,
    add_options,
    run,
)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: `python -m ffgan`, and the scripts `ffgan` and `FFgan`."""

from ffgan.cli.program import main

__all__ = ["main"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the networks on a folder of images.

`train` does it, `dry_run` tells what it would do and how long that would take; both take the fields
of `Settings` as keyword arguments. `Interrupted` is what a run raises that was stopped by a signal.
`make_trainer` makes the engine's trainer of settings, and `statistics_latents` are what a run
estimates batch-norm statistics over; tools/ uses them.

Examples:
    >>> import ffgan.training
    >>> ffgan.training.Settings().batch
    64
"""

from ffgan.interruption import Interrupted
from ffgan.training.estimate import dry_run
from ffgan.training.run import train
from ffgan.training.settings import Settings
from ffgan.training.trainer import make_trainer, statistics_latents

__all__ = [
    "Interrupted",
    "Settings",
    "dry_run",
    "make_trainer",
    "statistics_latents",
    "train",
]

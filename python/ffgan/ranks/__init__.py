# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes, the ranks, that do one piece of work together.

`mpiexec` or `srun` starts them, `of_launcher` finds them, and `Ranks` is what they do together:
train, evaluate, audit. docs/distributed.md explains it.
"""

from ffgan.ranks.mpi import launched, of_launcher
from ffgan.ranks.ranks import Carrier, Elsewhere, Ranks, is_met, met

__all__ = ["Carrier", "Elsewhere", "Ranks", "is_met", "launched", "met", "of_launcher"]

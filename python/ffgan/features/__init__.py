# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature networks, whose outputs evaluation and audit compare.

Distances between sets of images are distances between their features. `imagenet` responds to the
whole appearance, blur and artefacts included; `faces` to the identity and little else.
"""

from __future__ import annotations

from ffgan.features.efficientnet import training_network
from ffgan.features.loader import NAMES, Name, Network, load

__all__ = ["NAMES", "Name", "Network", "load", "training_network"]

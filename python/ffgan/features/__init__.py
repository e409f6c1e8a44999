# SPDX-License-Identifier: GPL-3.0-or-later
"""Feature networks: what they make of images is what evaluation and audit compare.

Distances between sets of images are distances between their features. `imagenet` sees what an
image looks like, blur and artefacts included; `faces` sees whose face it is and little else.
"""

from __future__ import annotations

from ffgan.features.efficientnet import training_network
from ffgan.features.loader import NAMES, Name, Network, load

__all__ = ["NAMES", "Name", "Network", "load", "training_network"]

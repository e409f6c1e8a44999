# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes that the networks fix, as the core states them."""

from __future__ import annotations

from typing import Final

from ffgan import _core

IMAGE_SHAPE: Final = _core.IMAGE_SHAPE
"""Of an image that the networks make and judge: rows, columns, channels."""

IMAGE_SIZE: Final = IMAGE_SHAPE[0]
"""Its side, in pixels."""

LATENT_SIZE: Final = _core.LATENT_SIZE
"""The numbers of a latent, the vector that the generator makes an image of."""

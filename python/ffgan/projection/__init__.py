# SPDX-License-Identifier: GPL-3.0-or-later
"""From a picture of a face to the latent whose face is nearest to it."""

from __future__ import annotations

from ffgan.projection.latent_file import load_latent, save_latent

__all__ = ["load_latent", "save_latent"]

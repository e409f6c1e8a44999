# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders: each takes an image file and returns its pixels as a `Raster`."""

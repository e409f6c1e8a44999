# SPDX-License-Identifier: GPL-3.0-or-later
"""From a picture of a face to the latent whose face is nearest to it."""

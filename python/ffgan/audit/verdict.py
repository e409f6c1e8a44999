# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a model copies, by an audit's figures, and why in plain words."""

from __future__ import annotations

from typing import Any, Final

from ffgan.audit.figures import least_share
from ffgan.audit.nearest_neighbours import SPACES, Space

ALPHA: Final = 1e-3
"""A test whose p value is below this counts as a sign of copying."""

LARGE_SHARE: Final = 0.05
"""An audit by which a larger share of copies may stay unseen says so."""

IN_WORDS: Final[dict[Space, str]] = {"pixels": "in pixels", "faces": "by face embeddings"}


def verdict(figures: dict[str, Any]) -> dict[str, Any]:
    """Return whether the model copies, ``copies``, and the verdict in words, ``text``."""
    signs = []
    held_out = figures["held_out"] is not None
    real = "held-out images" if held_out else "training images, beside the others of them,"
    for space in SPACES:
        found, where = figures["spaces"][space], IN_WORDS[space]
        if held_out and (nearest := found["training_is_nearest"])["p"] < ALPHA:
            signs.append(
                f"{where}, a training image is the nearest to {nearest['samples']:.1%} of its "
                f"faces, where chance explains {nearest['expected']:.1%} (p {p_value(nearest)})"
            )
        if (alone := found["one_alone"])["p"] < ALPHA:
            signs.append(
                f"{where}, {alone['samples']:.1%} of its faces are as close to one training image "
                f"alone as only {alone['real']:.1%} of the {real} are (p {p_value(alone)})"
            )
    if signs:
        return {"copies": True, "text": f"It copies: {'; '.join(signs)}."}
    if held_out:
        text = (
            "No sign of copying: training images are the nearest ones to its faces no more often "
            "than chance may explain, and its faces do not stand out as near to single ones."
        )
        return {"copies": False, "text": text + _few(figures)}
    text = (
        "No face stands out as a copy of a single training image. Whether its faces are nearer to "
        "training images than to others can be told only with --heldout."
    )
    return {"copies": False, "text": text + _few(figures)}


def _few(figures: dict[str, Any]) -> str:
    """A sentence where so few images were compared that much copying would not show."""
    samples, real = figures["samples"]["count"], figures["real_count"]
    share = least_share(samples, real, ALPHA)
    if share <= LARGE_SHARE:
        return ""
    return (
        f" But {samples} faces beside {real} real images are few: copies that are less than some "
        f"{share:.0%} of its faces would not show."
    )


def p_value(test: dict[str, Any]) -> str:
    """Return the p value of a test as text."""
    p: float = test["p"]
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}".replace("e-0", "e-")

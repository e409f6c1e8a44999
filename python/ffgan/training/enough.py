# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there are enough images for what a run is to do, before it does any of it."""

from __future__ import annotations

from typing import Final

from ffgan.errors import DatasetError
from ffgan.training.plan import Plan
from ffgan.training.warm_start import CODE_SIZE

FEW: Final = 500
"""Below it a model has hardly anything to give but the images it was trained on."""


def needed_for_components(flip: bool) -> int:
    """The fewest images of which there are principal components; mirrored ones count as well."""
    return CODE_SIZE // 2 + 1 if flip else CODE_SIZE + 1


def needed_for_identities() -> int:
    """The fewest images of which there are identity codes."""
    return CODE_SIZE + 2


def check(plan: Plan, images: int) -> None:
    """Raise DatasetError when the run needs codes of more images than there are."""
    settings = plan.settings
    found = {} if plan.checkpoint is None else plan.checkpoint.tensors
    coded = bool(settings.warm_start) or settings.anchor_weight > 0.0
    of_file = settings.codes is not None
    if coded and f"{'code_file' if of_file else 'principal_components'}.mean" not in found:
        least = needed_for_components(settings.flip and not of_file)
        if images < least:
            of = "--anchor-weight"
            if settings.warm_start and plan.checkpoint is None:
                of = "--warm-start"
            raise DatasetError(
                f"{images} images are too few for {of}, which needs {least}: add some, or use "
                f"{of} 0"
            )
    if settings.identity_codes and coded and "identity_codes.mean" not in found:
        least = needed_for_identities()
        if images < least:
            raise DatasetError(
                f"{images} images are too few for --identity-codes, which needs {least}: "
                "add some, or use --identity-codes 0"
            )


def warning(images: int) -> str:
    """A line of text where a model would give back its training images, else nothing."""
    if images >= FEW:
        return ""
    return (
        f"warning: {images} images are few: below some {FEW} a model gives back little but the "
        "faces that it was trained on (ffgan audit measures it)"
    )

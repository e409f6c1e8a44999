# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors ffgan raises on purpose: each message is one line naming the thing and the way out."""

from __future__ import annotations


def escaped(text: str) -> str:
    """The text with line breaks, other control characters and lone surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


class Error(Exception):
    """Base of every error that ffgan raises on purpose.

    ``exit_code`` is the status with which the command line ends: 2 for bad input, 1 for a failure.
    """

    exit_code = 1

    def __str__(self) -> str:
        # A message quotes names and values, from whoever wrote them.
        return escaped(super().__str__())


class UsageError(Error, ValueError):
    """An argument is outside its range."""

    exit_code = 2


class InstructionSetError(Error):
    """FFGAN_ISA names an instruction set that this build or this processor does not have."""

    exit_code = 2


class DatasetError(Error):
    """A training folder or an image in it cannot be used."""

    exit_code = 2


class ModelError(Error):
    """A model file is missing, damaged, or not a model of this program."""

    exit_code = 2


class ModelWriteError(ModelError):
    """A model file cannot be written: a failure, and no bad input."""

    exit_code = 1


class CheckpointError(Error):
    """A run folder or a checkpoint in it cannot be read or written."""


class DivergedError(Error):
    """Training produced NaN or a collapsed discriminator, also after going back once."""


class DisplayError(Error):
    """A window was asked for and none can be opened."""


class DeviceError(Error):
    """The GPU of a build with CUDA cannot be used, its memory is full, or it failed."""


class ServerError(Error):
    """The web server cannot start."""


class ExtraError(Error):
    """An optional package, one of ffgan's extras, is asked for and not installed."""

    exit_code = 2


class UnavailableError(Error):
    """A file or folder that the operating system cannot read now: no finding about its content."""

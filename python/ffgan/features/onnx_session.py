# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions of ONNX Runtime, whose result does not depend on the number of threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffgan.errors import ExtraError

if TYPE_CHECKING:
    import onnxruntime


def session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a session of an ONNX file's content, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread a call: the sums come in one order, and calls run side by side.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # With its fallback, ONNX Runtime prints about a network that it refuses, and tries once more.
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"], enable_fallback=0
    )


def require() -> None:
    """Raise `ExtraError` where the packages for ONNX are not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise missing(error.name or "a package") from error


def missing(what: str) -> ExtraError:
    """Return the error that says what to install."""
    return ExtraError(
        f"{what} is missing: pip install 'ffgan[evaluate]', or take other features: faces"
    )

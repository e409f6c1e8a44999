# SPDX-License-Identifier: GPL-3.0-or-later
"""A shell in the background ignores Ctrl+C, and every child of the tests would inherit that.

And what tests of tools/ share.
"""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def load_tool() -> Callable[[str], ModuleType]:
    """A function that loads tools/NAME.py as a module."""

    def load(name: str) -> ModuleType:
        path = Path(__file__).parents[1] / "tools" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load

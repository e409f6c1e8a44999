# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests: signals, the number of processes, and a fixture for tools/."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

# A shell in the background ignores Ctrl+C, nohup a closed terminal, and every child of the tests
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread a whole run over the processor's cores; a run of named files stays in one process.

    ``-n N`` says otherwise. Without pytest-xdist (also ``-p no:xdist``) all runs in one process.
    """
    if hasattr(config, "workerinput"):  # one of those processes, in which this is called too
        return
    options = config.option
    whole = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    if whole and getattr(options, "numprocesses", 0) is None and not options.usepdb:
        options.numprocesses = "auto"
        # Neighbours in a file share its fixtures, so each process gets a run of neighbours.
        if options.dist == "no":
            options.dist = "worksteal"


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

# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all tests: signals, the number of processes, and a fixture for tools/."""

from __future__ import annotations

import importlib.util
import os
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
    if getattr(options, "numprocesses", None):
        # Each process has a core: NumPy's further threads would spin on those of the others.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file of slow tests only is not even imported, unless it is named or they are wanted."""
    if config.option.markexpr != "not slow" or collection_path.suffix != ".py":
        return None
    named = {Path(argument.partition("::")[0]).resolve() for argument in config.args}
    text = collection_path.read_text(encoding="utf-8")
    all_slow = "\npytestmark = pytest.mark.slow\n" in text
    return True if all_slow and collection_path.resolve() not in named else None


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

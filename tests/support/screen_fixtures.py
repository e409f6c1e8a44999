# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests that look at a screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.screen import Screen, x_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The name of an X display of our own."""
    with x_server() as (name, _):
        yield name


@pytest.fixture
def screen(server: str) -> Iterator[Screen]:
    screen = Screen(server)
    yield screen
    screen.end()

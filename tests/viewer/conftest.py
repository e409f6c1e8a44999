# SPDX-License-Identifier: GPL-3.0-or-later
"""The screen of the tests in this folder."""

from support.screen_fixtures import screen, server

__all__ = ["screen", "server"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzing of the readers, outside the default tests but for some inputs of each."""

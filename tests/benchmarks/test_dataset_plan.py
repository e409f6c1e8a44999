# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a large data set: its arithmetic, and what failures cost in the simulation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.dataset_plan import Plan, simulate, told

SMALL = Plan(faces=2_000_000, shard=1000, nodes=4, cores=4, slow=0.0, lifetime=1e9)


def test_without_failures_the_simulation_takes_what_the_arithmetic_says() -> None:
    found = simulate(SMALL)
    assert (found.lost, found.failures) == (0, 0)
    assert found.hours == pytest.approx(SMALL.hours, rel=0.02)
    assert SMALL.core_hours == pytest.approx(2000 * (0.3 + 12.5 + SMALL.upload) / 3600)


def test_failures_and_slow_nodes_cost_work_and_time() -> None:
    failing = simulate(replace(SMALL, lifetime=0.2))
    assert failing.failures > 2
    assert 0 < failing.lost < 0.1
    assert failing.hours > 1.05 * SMALL.hours
    # What is lost with a node is half a shard of each core: more of large ones.
    large = simulate(replace(SMALL, lifetime=0.2, shard=10_000))
    assert large.lost > 2 * failing.lost
    slow = simulate(replace(SMALL, slow=1.0, slowness=2.0))
    assert slow.hours == pytest.approx(2 * SMALL.hours, rel=0.05)


def test_the_plan_is_told_with_its_costs() -> None:
    text = told(replace(SMALL, faces=10**6))
    assert "1,000,000 faces in 1,000 shards of 1,000 (12 MB each)" in text
    assert f"| cores | {replace(SMALL, faces=10**6).core_hours * 0.04:,.0f} |" in text

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a data set on many machines needs: time, storage, requests, money, and what failures cost.

Arithmetic with rates that were measured (`python -m benchmarks.dataset`, `--engines`), and a
simulation of the shards on nodes that fail and nodes that are slow, for several sizes of shards.
Prices are examples of November 2026: give your own.

    python -m benchmarks.dataset_plan --faces 1e9 --nodes 100 --cores 16
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from dataclasses import dataclass, replace

SIZES = (500, 1000, 5000, 20_000, 100_000)
LOOKS = 16
"""Records that the head asks for at a time."""


@dataclass(frozen=True)
class Plan:
    """``rate``: faces a second of a core; ``bytes_face``: of a picture with its labels.

    ``bandwidth``: bytes a second of a node to the store, ``latency``: seconds of a request there.
    ``overhead``: seconds of a task besides its faces. ``lifetime``: hours after which a node fails,
    on average; ``replaced``: minutes until another takes its place. ``slow``: share of nodes that
    are slower, by the factor ``slowness``.
    """

    faces: int = 10**9
    shard: int = 5000
    nodes: int = 100
    cores: int = 16
    rate: float = 80.0
    bytes_face: float = 11_600.0
    bandwidth: float = 125e6
    latency: float = 0.05
    overhead: float = 0.3
    lifetime: float = 200.0
    replaced: float = 5.0
    slow: float = 0.05
    slowness: float = 2.0
    core_hour: float = 0.04
    gb_month: float = 0.023
    put_1000: float = 0.005
    get_1000: float = 0.0004
    egress_gb: float = 0.09

    @property
    def shards(self) -> int:
        return math.ceil(self.faces / self.shard)

    @property
    def gigabytes(self) -> float:
        return self.faces * self.bytes_face / 1e9

    @property
    def upload(self) -> float:
        """Seconds of the upload of a shard and its record, while the node's other cores upload
        one as often."""
        size = self.shard * self.bytes_face
        making = self.shard / self.rate
        alone = size / self.bandwidth
        # As long as the line is not full, uploads rarely meet.
        crowd = max(1.0, self.cores * alone / (making + alone))
        return 2 * self.latency + alone * crowd

    @property
    def seconds(self) -> float:
        """Of a shard on a core."""
        return self.overhead + self.shard / self.rate + self.upload

    @property
    def core_hours(self) -> float:
        return self.shards * self.seconds / 3600

    @property
    def hours(self) -> float:
        """With nothing failing."""
        return self.core_hours / (self.nodes * self.cores)

    @property
    def puts(self) -> int:
        return 2 * self.shards

    @property
    def looks(self) -> int:
        """Requests of the head: a record and a size, when a shard is made and for the sums."""
        return 4 * self.shards

    @property
    def sums(self) -> float:
        """Minutes in which the head reads all records again, as a run that resumes does."""
        return 2 * self.shards * self.latency / LOOKS / 60

    def cost(self, months: float = 1, downloads: float = 1) -> dict[str, float]:
        return {
            "cores": self.core_hours * self.core_hour,
            f"storage, {months:g} months": self.gigabytes * self.gb_month * months,
            "requests": (self.puts * self.put_1000 + self.looks * self.get_1000) / 1000,
            f"downloads, {downloads:g}": self.gigabytes * self.egress_gb * downloads,
        }


@dataclass(frozen=True)
class Outcome:
    """``hours`` until all is made, ``lost``: share of the work that was done in vain, ``tail``:
    minutes in which fewer than half of the cores had work, ``failures`` of nodes."""

    hours: float
    lost: float
    tail: float
    failures: int


def simulate(plan: Plan, seed: int = 0) -> Outcome:
    """Hand out the shards as the head does: to a core that is free, again if its node fails."""
    draw = random.Random(seed)
    pace = [plan.slowness if draw.random() < plan.slow else 1.0 for _ in range(plan.nodes)]
    life = plan.lifetime * 3600
    fails = [draw.expovariate(1 / life) for _ in range(plan.nodes)]
    free = [(0.0, node) for node in range(plan.nodes) for _ in range(plan.cores)]
    heapq.heapify(free)
    waiting, now, wasted, failures = plan.shards, 0.0, 0.0, 0
    ends: list[float] = []  # of shards, as far as they can matter to the tail
    running: list[tuple[float, int]] = []  # those lost, by the time when it is known
    while waiting or running:
        if not waiting:
            # Nothing to hand out until a node is found to have failed.
            known, count = heapq.heappop(running)
            waiting += count
            free = [(max(at, known), node) for at, node in free]
            heapq.heapify(free)
        now, node = heapq.heappop(free)
        while running and running[0][0] <= now:
            waiting += heapq.heappop(running)[1]
        if now >= fails[node]:
            back = fails[node] + plan.replaced * 60
            if now >= back:
                failures += 1
                fails[node] = back + draw.expovariate(1 / life)
            else:
                heapq.heappush(free, (back, node))
                continue
        takes = plan.seconds * pace[node] * draw.uniform(0.95, 1.05)
        waiting -= 1
        if now + takes > fails[node]:
            wasted += fails[node] - now
            heapq.heappush(running, (fails[node], 1))
            heapq.heappush(free, (fails[node] + plan.replaced * 60, node))
        else:
            heapq.heappush(free, (now + takes, node))
            heapq.heappush(ends, now + takes)
            if len(ends) > plan.nodes * plan.cores:
                heapq.heappop(ends)
    last = max(ends)
    half = sorted(ends)[len(ends) // 2]
    work = plan.shards * plan.seconds
    return Outcome(last / 3600, wasted / (work + wasted), (last - half) / 60, failures)


def told(plan: Plan) -> str:
    lines = [
        f"{plan.faces:,} faces in {plan.shards:,} shards of {plan.shard:,} "
        f"({plan.shard * plan.bytes_face / 1e6:.0f} MB each)",
        f"on {plan.nodes:,} nodes of {plan.cores} cores; {plan.rate:g} faces a second of a core, "
        f"{plan.bytes_face:,.0f} bytes a face",
        "",
        "| | |",
        "|---|---:|",
        f"| storage | {plan.gigabytes / 1000:,.1f} TB |",
        f"| objects: shards and records | {plan.puts:,} |",
        f"| objects as a folder of pictures | {plan.faces + 2 * plan.shards:,} |",
        f"| one shard on a core | {plan.seconds:,.0f} s, {plan.upload:.1f} s of it uploading |",
        f"| core hours | {plan.core_hours:,.0f} |",
        f"| hours, if nothing fails | {plan.hours:,.1f} |",
        f"| shards a second that the head counts | {plan.shards / plan.hours / 3600:,.1f} |",
        f"| network of a node | {plan.cores * plan.rate * plan.bytes_face * 8e-6:,.0f} Mbit/s |",
        f"| network of all | {plan.nodes * plan.cores * plan.rate * plan.bytes_face * 8e-9:,.1f} "
        "Gbit/s |",
        f"| the head reads all records, to resume or for the sums | {plan.sums:,.0f} minutes |",
        "",
        "| cost | |",
        "|---|---:|",
    ]
    costs = plan.cost()
    lines += [f"| {name} | {cost:,.0f} |" for name, cost in costs.items()]
    pictures = (plan.faces + 2 * plan.shards) * plan.put_1000 / 1000
    lines += [
        f"| together | {sum(costs.values()):,.0f} |",
        f"| requests, as a folder of pictures | {pictures:,.0f} |",
        "",
        f"A node fails every {plan.lifetime:g} hours and comes back after {plan.replaced:g} "
        f"minutes; {plan.slow:.0%} are slower by {plan.slowness:g}:",
        "",
        "| pictures of a shard | shards | MB | hours | more than without failures "
        "| work lost | last half of the cores idle | nodes failed |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for size in SIZES:
        one = replace(plan, shard=size)
        found = simulate(one)
        more = found.hours / one.hours - 1
        lines.append(
            f"| {size:,} | {one.shards:,} | {size * one.bytes_face / 1e6:,.0f} "
            f"| {found.hours:,.2f} | {more:.1%} | {found.lost:.3%} | {found.tail:,.1f} min "
            f"| {found.failures:,} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in vars(Plan()).items():
        kind = float if isinstance(default, float) else _whole
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=default, help=f"({default:g})"
        )
    print(told(Plan(**vars(parser.parse_args()))))


def _whole(text: str) -> int:
    return int(float(text))


if __name__ == "__main__":
    main()

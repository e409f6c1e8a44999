# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/compare_runs.py: several runs in one chart."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from ffgan.training.run_folder import RunFolder


def evaluated(path: Path, first: int) -> Path:
    """A run with five evaluations from a step on, of which the one in the middle is the best."""
    run = RunFolder(path)
    run.path.mkdir()
    apart = first // 5
    lines = [{"step": first, "seconds": 2.0 * first, "loss_d": 1.0}]
    for step in range(first, 2 * first, apart):
        distance = 80.0 + abs(step - first - 2 * apart)
        lines.append({"step": step, "seconds": 2.0 * step, "frechet_distance": distance})
    run.log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_runs_are_compared_over_their_time(run_tool, tmp_path: Path) -> None:
    folder = evaluated(tmp_path / "my <run>", 200)
    other = evaluated(tmp_path / "other", 1000)
    done = run_tool("compare_runs", tmp_path / "chart.svg", folder, other)
    assert done.code == 0, done.error
    # Evaluations are of the steps 200, 240, ..., and a step takes two seconds.
    assert "| my <run> | 7: 160.0, 8: 120.0, 9: 80.0, 11: 120.0, 12: 160.0 |" in done.out
    svg = ElementTree.fromstring((tmp_path / "chart.svg").read_text())
    lines = [
        [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
        for line in svg.iter("{http://www.w3.org/2000/svg}polyline")
    ]
    assert [len(line) for line in lines] == [5, 5]
    best = lines[0][2]
    assert best[1] == max(y for _, y in lines[0])  # lowest of all, and y counts downwards
    assert max(x for x, _ in lines[0]) < max(x for x, _ in lines[1])
    text = "".join(svg.itertext())
    assert "my <run>: " in text and "minutes" in text


def test_a_run_without_evaluations_cannot_be_compared(run_tool, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    run.log.write_text(json.dumps({"step": 1, "seconds": 2.0, "loss_d": 1.0}) + "\n")
    done = run_tool("compare_runs", tmp_path / "chart.svg", run.path)
    assert done.code == 1
    assert done.error == f"error: {run.path} has no evaluation: train it with --heldout\n"
    assert not (tmp_path / "chart.svg").exists()
